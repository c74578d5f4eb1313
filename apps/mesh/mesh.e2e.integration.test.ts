/**
 * The whole mesh end to end, as a person runs it: in one process and in many, from the first start to the last port.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eventually } from "@ridegrid/testing";
import { closeLog, gatewayOf as url, openLog } from "./lost-region.fixture.ts";
import { createMeshFolder, type MeshFolder, type Program } from "./mesh.fixture.ts";
import { isAlive, parentOf } from "./process-identity.ts";
import { clientOf, driverAt, type Json, london, newYork, offerFor, requestRide, rideByHand, rideIn, statusOf, tokenOf } from "./ride-by-hand.fixture.ts";
import { watchByHand } from "./watch-by-hand.fixture.ts";

const startTimeoutMs = 90_000;

/** Two riders and two drivers must not meet across tests of one mesh. */
let people = 0;
function newPeople(): { readonly rider: string; readonly driver: string } {
  people += 1;
  return { rider: `rider-${people}`, driver: `driver-${people}` };
}

async function expectNothingLeft(folder: MeshFolder): Promise<void> {
  await eventually(() => folder.survivors().length === 0, { timeoutMs: 5_000, what: "the end of every process" });
  expect(await folder.portsInUse()).toEqual([]);
  expect(() => folder.file()).toThrow("no mesh.json");
}

const kinds = [
  { how: "in one process", flags: [] },
  { how: "in many processes", flags: ["--processes"] },
];

for (const { how, flags } of kinds)
  describe(`a mesh ${how}`, () => {
    let folder: MeshFolder;
    let mesh: Program;

    beforeAll(async () => {
      folder = await createMeshFolder();
      mesh = await folder.dev("--no-city", ...flags);
    }, startTimeoutMs);

    afterAll(async () => {
      await folder.reap();
    }, 30_000);

    test("carries a ride from the request to the receipt", async () => {
      const ride = await rideByHand(url(folder, "ewr"), newYork, newPeople());
      expect(ride).toMatchObject({ status: "RIDE_STATUS_COMPLETED", homeRegion: "ewr", marketId: "nyc" });
      expect(ride["receipt"]).toBeDefined();
    }, 40_000);

    test("any gateway serves any region", async () => {
      const ride = await rideByHand(url(folder, "ewr"), london, newPeople());
      expect(ride).toMatchObject({ status: "RIDE_STATUS_COMPLETED", homeRegion: "lhr", marketId: "lon" });
    }, 40_000);

    test("a rider on the London gateway rides in New York, and operators read it from either", async () => {
      const [ewr, lhr] = [url(folder, "ewr"), url(folder, "lhr")];
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
      const [ewr, lhr] = [url(folder, "ewr"), url(folder, "lhr")];
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
      expect(second.stdout).toContain(url(folder, "lhr"));
      expect(isAlive(mesh.pid)).toBe(true);
    }, 30_000);

    test("a stopped event log leaves rides requested and acknowledged, other regions go on, and all is assigned when it returns", async () => {
      const names = newPeople();
      const driver = await driverAt(url(folder, "ewr"), names.driver, newYork);
      const rider = await clientOf(url(folder, "ewr"), "rider", names.rider);
      try {
        await closeLog(folder, "ewr");
        const { rideId } = await requestRide(rider, newYork);
        const elsewhere = await rideByHand(url(folder, "lhr"), london, newPeople());
        expect(elsewhere["status"]).toBe("RIDE_STATUS_COMPLETED");
        // London took seconds, many ticks of a worker that could have heard of the ride.
        expect(await statusOf(rider, rideId)).toBe("RIDE_STATUS_REQUESTED");
        await openLog(folder, "ewr");
        const offerId = await offerFor(driver.call, 30_000);
        const accepted = rideIn(await driver.call("AcceptOffer", { requestId: crypto.randomUUID(), offerId }));
        expect(accepted).toMatchObject({ rideId, status: "RIDE_STATUS_ASSIGNED" });
        await rider("CancelRide", { requestId: crypto.randomUUID(), rideId, reason: "CANCEL_REASON_RIDER_CHANGED_MIND" });
      } finally {
        await openLog(folder, "ewr");
        await driver.goHome();
      }
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
        const ride = await rideByHand(url(folder, "ewr"), newYork, newPeople());
        expect(ride["status"]).toBe("RIDE_STATUS_COMPLETED");
        mesh.signal("SIGTERM");
        expect(await mesh.ended).toMatchObject({ code: 0 });
        await expectNothingLeft(folder);
      },
      startTimeoutMs,
    );
  });

/** Each of these leaves a mesh in pieces: a folder each. */
async function inFolder(check: (folder: MeshFolder) => Promise<void>): Promise<void> {
  const folder = await createMeshFolder();
  try {
    await check(folder);
  } finally {
    await folder.reap();
  }
}

type SimReport = {
  readonly violations: number;
  readonly rides: { readonly requested: number; readonly completed: number; readonly noDrivers: number; readonly canceled: Readonly<Record<string, number>> };
};

test(
  "a simulated city loses no ride when the coordinator and then the matching worker are killed in the middle",
  () =>
    inFolder(async (folder) => {
      await folder.dev("--no-city", "--processes");
      const simulation = folder.run("sim", "--url", url(folder, "ewr"), "--drivers", "40", "--rides", "24", "--speedup", "30", "--seed", "7", "--json");
      await killOnce(folder, "assignment-coordinator", 6);
      await killOnce(folder, "matching-worker.ewr", 12);
      const ended = await simulation.ended;
      expect(`${ended.code} ${ended.code === 0 ? "" : ended.stderr}`).toBe("0 ");
      const { violations, rides } = JSON.parse(ended.stdout) as SimReport;
      expect(violations).toBe(0);
      expect(rides.requested).toBe(24);
      // A rider's patience is 16 s of wall time here, which a busy machine may use up; whom nobody gave up on is driven.
      expect(rides.completed).toBeGreaterThanOrEqual(8);
      expect(rides.completed).toBeGreaterThanOrEqual(0.9 * (24 - (rides.canceled["rider"] ?? 0)));
    }),
  180_000,
);

/** Once the simulation has asked for so many rides; the new process is there within a second. */
async function killOnce(folder: MeshFolder, name: string, afterRides: number): Promise<void> {
  await eventually(async () => (await ridesSoFar(url(folder, "ewr"))) >= afterRides, { timeoutMs: 60_000, what: `${afterRides} rides` });
  const killed = folder.file().pids[name] ?? 0;
  process.kill(killed, "SIGKILL");
  await eventually(() => (folder.file().pids[name] ?? killed) !== killed, { timeoutMs: 2_000, what: `a new ${name}` });
}

test(
  "a killed mesh leaves no app behind, and the next start takes its Postgres over",
  () =>
    inFolder(async (folder) => {
      const first = await folder.dev("--drivers", "5");
      const { postgres: postgresPid, simulator } = folder.file().pids;
      if (postgresPid === undefined || simulator === undefined) throw new Error("mesh.json names no postgres or no simulator");
      first.signal("SIGKILL");
      await first.ended;
      await eventually(() => !isAlive(simulator), { timeoutMs: 15_000, what: "the simulator's end" });
      expect(folder.survivors()).toEqual([...folder.survivors()].filter((pid) => pid === postgresPid || parentOf(pid) === postgresPid));
      const second = await folder.dev("--no-city");
      expect(folder.file().pids["postgres"]).toBe(postgresPid);
      second.signal("SIGTERM");
      await second.ended;
      await expectNothingLeft(folder);
    }),
  startTimeoutMs,
);

async function ridesSoFar(gateway: string): Promise<number> {
  const operator = await clientOf(gateway, "operator", "op-1");
  const { rides } = (await operator("SearchRides", { pageSize: 100 })) as { readonly rides?: readonly unknown[] };
  return rides?.length ?? 0;
}
