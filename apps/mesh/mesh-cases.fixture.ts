/**
 * What a mesh must do, whether its apps share a process or have their own and wherever its event logs are: rides, regions
 * that know of each other, a log that is away, records that cannot be applied, starts and ends.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eventually } from "@ridegrid/testing";
import { deadLettersAreKeptAndReplayed } from "./dead-letter.fixture.ts";
import type { LogKind, LogsUnderTest } from "./event-logs.fixture.ts";
import { createMeshFolder, gatewayOf, type MeshFolder, type Program } from "./mesh.fixture.ts";
import { isAlive } from "./process-identity.ts";
import { clientOf, driverAt, type Json, london, newYork, offerFor, requestRide, rideByHand, rideIn, statusOf, tokenOf } from "./ride-by-hand.fixture.ts";
import { watchByHand } from "./watch-by-hand.fixture.ts";

export type MeshCases = { readonly how: string; readonly flags: readonly string[]; readonly logs: LogKind };

const startTimeoutMs = 90_000;

/** Two riders and two drivers must not meet across tests of one mesh. */
let people = 0;
function newPeople(): { readonly rider: string; readonly driver: string } {
  people += 1;
  return { rider: `rider-${people}`, driver: `driver-${people}` };
}

export async function expectNothingLeft(folder: MeshFolder): Promise<void> {
  await eventually(() => folder.survivors().length === 0, { timeoutMs: 5_000, what: "the end of every process" });
  expect(await folder.portsInUse()).toEqual([]);
  expect(() => folder.file()).toThrow("no mesh.json");
}

export function meshCases({ how, flags, logs: kind }: MeshCases): void {
  describe.skipIf(kind.missing !== null)(`a mesh ${how}, ${kind.name}${kind.missing === null ? "" : ` (${kind.missing})`}`, () => {
    let logs: LogsUnderTest;
    let folder: MeshFolder;
    let mesh: Program;

    beforeAll(async () => {
      logs = await kind.start();
      folder = await createMeshFolder({ environment: logs.environment });
      mesh = await folder.dev("--no-city", ...flags);
    }, startTimeoutMs);

    afterAll(async () => {
      await folder.reap();
      await logs.stop();
    }, 60_000);

    test("carries a ride from the request to the receipt", async () => {
      const ride = await rideByHand(gatewayOf(folder, "ewr"), newYork, newPeople());
      expect(ride).toMatchObject({ status: "RIDE_STATUS_COMPLETED", homeRegion: "ewr", marketId: "nyc" });
      expect(ride["receipt"]).toBeDefined();
    }, 40_000);

    test("any gateway serves any region", async () => {
      const ride = await rideByHand(gatewayOf(folder, "ewr"), london, newPeople());
      expect(ride).toMatchObject({ status: "RIDE_STATUS_COMPLETED", homeRegion: "lhr", marketId: "lon" });
    }, 40_000);

    test("a rider on the London gateway rides in New York, and operators read it from either", async () => {
      const [ewr, lhr] = [gatewayOf(folder, "ewr"), gatewayOf(folder, "lhr")];
      const { rider: subject } = newPeople();
      const rider = await clientOf(lhr, "rider", subject);
      const ride = await requestRide(rider, newYork);
      expect(ride).toMatchObject({ homeRegion: "ewr", marketId: "nyc", status: "RIDE_STATUS_REQUESTED" });
      const { rideId } = ride;
      const watched = watchByHand(await tokenOf(lhr, "rider", subject), lhr, rideId);
      await eventually(() => watched.status() === "RIDE_STATUS_REQUESTED", { timeoutMs: 15_000, what: "the ride on its rider's stream" });
      await rider("CancelRide", { requestId: crypto.randomUUID(), rideId, reason: "CANCEL_REASON_RIDER_CHANGED_MIND" });
      await eventually(() => watched.status() === "RIDE_STATUS_CANCELED", { timeoutMs: 15_000, what: "the cancel on the stream" });
      watched.close();
      expect(watched.versions()).toEqual([1, 2]);
      for (const gateway of [ewr, lhr]) {
        const operator = await clientOf(gateway, "operator", "op-reads");
        expect(rideIn(await operator("GetRide", { rideId }))["status"]).toBe("RIDE_STATUS_CANCELED");
        const { entries = [] } = (await operator("GetRideTimeline", { rideId })) as { readonly entries?: readonly Json[] };
        expect(entries.map((entry) => [entry["type"], entry["region"]])).toEqual([
          ["RideRequested", "ewr"],
          ["RideCanceled", "ewr"],
        ]);
        const { rides = [] } = (await operator("SearchRides", { riderId: subject })) as { readonly rides?: readonly Json[] };
        expect(rides.map((found) => found["rideId"])).toEqual([rideId]);
      }
    }, 40_000);

    test("a region that is drained by one gateway takes no new rides and shifts by the other, until it is undrained", async () => {
      const [ewr, lhr] = [gatewayOf(folder, "ewr"), gatewayOf(folder, "lhr")];
      const operator = await clientOf(lhr, "operator", "op-drains");
      const rider = await clientOf(ewr, "rider", newPeople().rider);
      const change = { region: "ewr", reason: "its brokers are replaced" };
      const drained = (await operator("DrainRegion", { requestId: crypto.randomUUID(), ...change })) as { readonly region: Json };
      expect(drained.region).toMatchObject({ region: "ewr", draining: true, servedBy: "ewr" });
      await expect(requestRide(rider, newYork)).rejects.toThrow("REGION_DRAINING");
      await expect(driverAt(ewr, "d-drained", newYork)).rejects.toThrow("REGION_DRAINING");
      const elsewhere = await requestRide(rider, london);
      await rider("CancelRide", { requestId: crypto.randomUUID(), rideId: elsewhere["rideId"], reason: "CANCEL_REASON_RIDER_CHANGED_MIND" });
      const undrained = (await operator("UndrainRegion", { requestId: crypto.randomUUID(), ...change })) as { readonly region: Json };
      expect(undrained.region["draining"] ?? false).toBe(false);
      const { rideId } = await requestRide(rider, newYork);
      await rider("CancelRide", { requestId: crypto.randomUUID(), rideId, reason: "CANCEL_REASON_RIDER_CHANGED_MIND" });
    }, 40_000);

    test("a second start finds the first, says where it is and exits 0", async () => {
      const second = await folder.run("dev", "--data", folder.directory, ...flags).ended;
      expect(second.code).toBe(0);
      expect(second.stdout).toContain("runs already");
      expect(second.stdout).toContain(gatewayOf(folder, "lhr"));
      expect(isAlive(mesh.pid)).toBe(true);
    }, 30_000);

    test("a stopped event log leaves rides requested and acknowledged, other regions go on, and all is assigned when it returns", async () => {
      const names = newPeople();
      const driver = await driverAt(gatewayOf(folder, "ewr"), names.driver, newYork);
      const rider = await clientOf(gatewayOf(folder, "ewr"), "rider", names.rider);
      try {
        await logs.shut(folder, "ewr");
        const { rideId } = await requestRide(rider, newYork);
        const elsewhere = await rideByHand(gatewayOf(folder, "lhr"), london, newPeople());
        expect(elsewhere["status"]).toBe("RIDE_STATUS_COMPLETED");
        // London took seconds, many ticks of a worker that could have heard of the ride.
        expect(await statusOf(rider, rideId)).toBe("RIDE_STATUS_REQUESTED");
        await logs.reopen(folder, "ewr");
        const offerId = await offerFor(driver.call, 30_000);
        const accepted = rideIn(await driver.call("AcceptOffer", { requestId: crypto.randomUUID(), offerId }));
        expect(accepted).toMatchObject({ rideId, status: "RIDE_STATUS_ASSIGNED" });
        await rider("CancelRide", { requestId: crypto.randomUUID(), rideId, reason: "CANCEL_REASON_RIDER_CHANGED_MIND" });
      } finally {
        await logs.reopen(folder, "ewr");
        await driver.goHome();
      }
    }, 90_000);

    test("a record that cannot be applied is put aside and listed, its ride waits, and replaying it twice applies it once", async () => {
      await deadLettersAreKeptAndReplayed(folder, logs, newPeople().rider);
    }, 90_000);

    test("Ctrl-C, which arrives twice, ends everything and frees every port", async () => {
      mesh.signal("SIGINT");
      mesh.signal("SIGINT");
      expect(await mesh.ended).toMatchObject({ code: 0 });
      await expectNothingLeft(folder);
    }, 40_000);

    test(
      "a clean second start serves rides again on the same data, and SIGTERM ends it",
      async () => {
        mesh = await folder.dev("--no-city", ...flags);
        const ride = await rideByHand(gatewayOf(folder, "ewr"), newYork, newPeople());
        expect(ride["status"]).toBe("RIDE_STATUS_COMPLETED");
        mesh.signal("SIGTERM");
        expect(await mesh.ended).toMatchObject({ code: 0 });
        await expectNothingLeft(folder);
      },
      startTimeoutMs,
    );
  });
}
