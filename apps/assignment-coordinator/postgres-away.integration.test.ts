/** Postgres away: `unavailable` within seconds, the process lives, and work goes on when it is back. */
import { afterAll, beforeAll, expect, test, setDefaultTimeout } from "bun:test";
import { createCapacity, reasonOf } from "@ridegrid/rpc";
import { createManualClock, createSeededRandom, eventually } from "@ridegrid/testing";
import { createCommandGate } from "./command-gate.ts";
import { createWorld, online, propose, requested, type World } from "./coordinator.fixtures.ts";

setDefaultTimeout(60_000);

let world: World;
beforeAll(async () => {
  world = await createWorld();
  await world.setMatchingEpoch("ewr", 1);
});
afterAll(() => world.close());

const reasonFrom = (call: Promise<unknown>): Promise<string | undefined> =>
  call.then(
    () => "no error",
    (error: unknown) => reasonOf(error) ?? String(error),
  );

test("calls are refused while the database is closed to connections, and offers go on afterwards", async () => {
  await online(world, "d-1");
  const { name } = world.database;
  const admin = world.database.admin();
  await admin.unsafe(`ALTER DATABASE ${name} WITH ALLOW_CONNECTIONS false`);
  await admin`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${name}`;
  const askedAt = performance.now();
  const reasons = await Promise.all(Array.from({ length: 30 }, () => reasonFrom(requested(world, "r-1"))));
  const tookMs = performance.now() - askedAt;
  expect(new Set(reasons)).toEqual(new Set(["DEPENDENCY_AWAY"]));
  expect(tookMs).toBeLessThan(6_000);
  await eventually(() => world.coordinator.readiness().some(({ ready }) => !ready), { what: "an unready database" });
  await admin.unsafe(`ALTER DATABASE ${name} WITH ALLOW_CONNECTIONS true`);
  const rideId = await eventually(() => requested(world, "r-1").catch(() => false), { what: "a ride after the database came back", timeoutMs: 20_000 });
  await propose(world, [{ rideId: String(rideId), rideVersion: 1, epoch: 1, driverId: "d-1" }]);
  await eventually(async () => (await world.sql`SELECT FROM ride WHERE status = 'offered'`.catch(() => ({ count: 0 }))).count === 1, {
    what: "an offer",
    timeoutMs: 20_000,
  });
  await eventually(() => world.coordinator.readiness().every(({ ready }) => ready), { what: "readiness" });
  console.log(`postgres away: ${reasons.length} calls refused within ${Math.round(tookMs)} ms, then one ride offered`);
});

test("CommandGate refuses what is above its bound, and answers when the database does not", async () => {
  const capacity = createCapacity({ clock: createManualClock(0), random: createSeededRandom(1), requestsPerSecond: undefined, inFlightMax: 2 });
  const gate = createCommandGate({ capacity, answerMs: 30 });
  const stalled = Promise.withResolvers<void>();
  const calls = [1, 2, 3].map(() => reasonFrom(gate.run(() => stalled.promise)));
  expect(await Promise.all(calls)).toEqual(["DEPENDENCY_AWAY", "DEPENDENCY_AWAY", "OVERLOADED"]);
  // Given up is not gone: the stalled two still count.
  expect(await reasonFrom(gate.run(() => Promise.resolve()))).toBe("OVERLOADED");
  stalled.resolve();
  await eventually(async () => (await reasonFrom(gate.run(() => Promise.resolve()))) === "no error", { what: "room again" });
});
