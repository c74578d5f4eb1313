/** The worker on real Postgres and the embedded log: proposals, restarts, a stopped log, a takeover. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { evolveRide, proposalId, type RideEvent } from "@ridegrid/domain";
import { eventually } from "@ridegrid/testing";
import { createWorkerFixture, type WorkerFixture } from "./matching-worker.fixture.ts";
import { anOffer, availableDriver, nextEvent, rideRequested, timesSquare } from "./matching.fixtures.ts";
import { createPostgresProposalStore } from "./proposal-store.postgres.ts";

const rideA = "019bbbbb-0000-7000-8000-00000000000a";
const rideB = "019bbbbb-0000-7000-8000-00000000000b";
const near = { latitude: 40.7585, longitude: -73.986 };
const far = { latitude: 40.78, longitude: -73.97 };

// The first test may have to start the server.
setDefaultTimeout(60_000);

let fixture: WorkerFixture | undefined;
afterEach(async () => {
  await fixture?.close();
  fixture = undefined;
});

async function started(): Promise<WorkerFixture & { readonly running: ReturnType<WorkerFixture["worker"]> }> {
  const made = (fixture = await createWorkerFixture());
  const running = made.worker();
  await running.worker.start();
  await isReady(running.worker);
  return { ...made, running };
}

/** Waits until the assertion holds. */
function holds(assertion: () => void | Promise<void>, options: { readonly timeoutMs: number; readonly what: string }): Promise<unknown> {
  return eventually(async () => {
    await assertion();
    return true;
  }, options);
}

function isReady(worker: { readiness(): readonly { ready: boolean; detail: string }[] }): Promise<unknown> {
  return holds(() => expect(worker.readiness()).toMatchObject([{ ready: true, detail: "" }]), { timeoutMs: 20_000, what: "the worker matches its market" });
}

describe("the matching worker", () => {
  test("proposes the nearer driver for a ride that the log tells of, and says why and how soon", async () => {
    const { ride, driver, position, proposals, clock, running } = await started();
    await driver(availableDriver("d-near"));
    await driver(availableDriver("d-far"));
    await position("d-near", near);
    await position("d-far", far);
    await ride(rideRequested(rideA, { atMs: clock.nowMs() }));
    const [proposal] = await eventually(
      async () => {
        const all = await proposals();
        expect(all.length).toBeGreaterThan(0);
        return all;
      },
      { timeoutMs: 15_000, what: "a proposal" },
    );
    expect(proposal).toMatchObject({ rideId: rideA, rideVersion: 1n, envelope: { homeRegion: "ewr", marketId: "nyc", partition: 0 } });
    expect(proposal?.kind).toMatchObject({
      case: "offer",
      value: { driverId: "d-near", candidates: [{ driverId: "d-near", reason: "" }, { driverId: "d-far" }] },
    });

    const explained = await running.client.explainMatch({ marketId: "nyc", rideId: rideA });
    expect(explained.candidates.map((one) => [one.driverId, one.chosen])).toEqual([
      ["d-near", true],
      ["d-far", false],
    ]);
    const estimate = await running.client.estimatePickup({ marketId: "nyc", pickup: timesSquare, seats: 1 });
    expect(estimate.pickupEtaSeconds).toBeGreaterThan(0);
    expect(estimate.pickupEtaSeconds).toBeLessThan(600);
    const seen = await running.client.lastPosition({ marketId: "nyc", driverId: "d-far" });
    expect(seen.location?.latitude).toBeCloseTo(far.latitude, 5);
    expect(Number(seen.ageMs)).toBeLessThan(10_000);
    expect((await running.client.lastPosition({ marketId: "nyc", driverId: "nobody" })).location).toBeUndefined();
    const { health } = await running.client.getWorkerHealth({});
    expect(health?.leases).toMatchObject([
      { region: "ewr", consumer: "matching-worker", partition: 0, owner: running.context.processId, epoch: proposal?.leaseEpoch },
    ]);
    expect(health?.consumers.map((one) => one.topic)).toEqual(["ride-events.v1", "driver-events.v1", "driver-telemetry.v1"]);
    expect(await running.context.metricsText()).toContain("matching_duration_seconds_bucket");
  });

  test("starts from ListOpenWork, drops versions it knows, and asks again only for a gap", async () => {
    fixture = await createWorkerFixture();
    const { openWork, ride, position, proposals, clock, worker } = fixture;
    const known = evolveRide(null, rideRequested(rideA, { atMs: clock.nowMs() }));
    openWork.rides = [{ ...known, blockedDrivers: [availableDriver("d-near").driverId] }];
    openWork.drivers = [availableDriver("d-near"), availableDriver("d-far")];
    await position("d-near", near);
    await position("d-far", far);
    const running = worker();
    await running.worker.start();
    await holds(async () => expect((await proposals()).map((one) => one.kind.value?.driverId)).toContain("d-far"), {
      timeoutMs: 15_000,
      what: "the driver who is not blocked",
    });
    await ride(rideRequested(rideA, { atMs: clock.nowMs() }));
    await ride(rideRequested(rideB, { atMs: clock.nowMs(), seats: 9 }));
    await holds(
      async () =>
        expect(
          (await running.context.metricsText()).includes(
            'kafka_consumer_lag{region="ewr",consumer="matching-worker",topic="ewr.ride-events.v1",partition="0"} 0',
          ),
        ).toBe(true),
      { timeoutMs: 15_000, what: "no lag" },
    );
    expect(openWork.asked).toBe(1);
    const b = evolveRide(null, rideRequested(rideB, { atMs: clock.nowMs() }));
    openWork.rides = [];
    await ride({ ...nextEvent(b, { type: "NoDriversFound" }, undefined, clock.nowMs() + 60_000), version: 3 });
    await holds(() => expect(openWork.asked).toBe(2), { timeoutMs: 15_000, what: "a second snapshot" });
  });

  test("an offer that follows settles the proposal; without one it is forgotten and another driver is asked", async () => {
    const { ride, driver, position, proposals, clock } = await started();
    const asked = async () => (await proposals()).map((one) => [one.rideId, one.kind.value?.driverId]);
    await driver(availableDriver("d-near"));
    await position("d-near", near);
    const a = rideRequested(rideA, { atMs: clock.nowMs() });
    await ride(a);
    await holds(async () => expect(await asked()).toEqual([[rideA, "d-near"]]), { timeoutMs: 15_000, what: "the first proposal" });
    await driver(availableDriver("d-far"));
    await position("d-far", far);
    await holds(
      async () =>
        expect(await asked()).toEqual([
          [rideA, "d-near"],
          [rideA, "d-far"],
        ]),
      { timeoutMs: 15_000, what: "a second proposal" },
    );
    const offered: RideEvent = nextEvent(
      evolveRide(null, a),
      {
        type: "OfferSent",
        offerId: anOffer,
        proposalId: proposalId("p"),
        leaseEpoch: 1,
        pickupEtaSeconds: 60,
        expiresAtMs: clock.nowMs() + 15_000,
        vehicle: { seats: 4, plate: "", model: "" },
      },
      { driverId: "d-far", version: 2 },
      clock.nowMs(),
    );
    await ride(offered);
    await position("d-near", near);
    await ride(rideRequested(rideB, { atMs: clock.nowMs() }));
    await holds(
      async () =>
        expect(await asked()).toEqual([
          [rideA, "d-near"],
          [rideA, "d-far"],
          [rideB, "d-near"],
        ]),
      { timeoutMs: 15_000, what: "the other ride's proposal" },
    );
  });

  test("with the log stopped it learns nothing and stalls; when the log returns it goes on by itself", async () => {
    const { ride, driver, position, proposals, openWork, clock, running, stopLog, startLog } = await started();
    await driver(availableDriver("d-near"));
    await stopLog();
    openWork.rides = [evolveRide(null, rideRequested(rideA, { atMs: clock.nowMs() }))];
    await holds(() => expect(running.worker.readiness()[0]?.detail).toContain("the event log does not answer"), { timeoutMs: 20_000, what: "the stall shows" });
    expect(openWork.asked).toBe(1);
    await startLog();
    await isReady(running.worker);
    expect(openWork.asked).toBe(1);
    expect(await proposals()).toEqual([]);
    await position("d-near", near);
    await ride(rideRequested(rideA, { atMs: clock.nowMs() }));
    await holds(async () => expect((await proposals()).map((one) => one.rideId)).toContain(rideA), { timeoutMs: 15_000, what: "a proposal after the return" });
  });

  test("a second worker takes over with a higher epoch; what the first one still writes is refused", async () => {
    const { worker, running, matchingSql, openWork, position, proposals, clock } = await started();
    const epoch = Number((await running.client.getWorkerHealth({})).health?.leases[0]?.epoch);
    await running.worker.stop();
    openWork.rides = [evolveRide(null, rideRequested(rideA, { atMs: clock.nowMs() }))];
    openWork.drivers = [availableDriver("d-near")];
    await position("d-near", near);
    const second = worker();
    await second.worker.start();
    await holds(async () => expect((await proposals()).map((one) => one.rideId)).toContain(rideA), {
      timeoutMs: 15_000,
      what: "a proposal of the second worker",
    });
    expect(Number((await proposals())[0]?.leaseEpoch)).toBeGreaterThan(epoch);

    const sql = matchingSql();
    const before = await sql`SELECT count(*)::int AS rows FROM outbox`;
    const store = createPostgresProposalStore(sql);
    const row = {
      homeRegion: "ewr",
      topic: "match-proposals.v1",
      partition: 0,
      key: rideA,
      eventId: crypto.randomUUID(),
      payload: new Uint8Array([1]),
      headers: {},
    };
    const paused = {
      homeRegion: "ewr",
      consumer: "matching-worker",
      partition: 0,
      owner: running.context.processId,
      epoch,
      signal: new AbortController().signal,
    };
    expect(await store.commit(paused, [row])).toBe("fenced");
    expect(await store.commit({ ...paused, owner: second.context.processId }, [row])).toBe("fenced");
    const rows = await sql`SELECT key FROM outbox WHERE payload = '\\x01'`;
    expect([before[0]?.["rows"] > 0, rows.length]).toEqual([true, 0]);
  });
});
