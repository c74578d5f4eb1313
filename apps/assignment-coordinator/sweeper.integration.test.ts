/** Timers fire by the database's clock, a page at a time; what has served its time is deleted in batches. */
import { afterAll, beforeAll, expect, test, setDefaultTimeout } from "bun:test";
import { createWorld, deliver, seedDrivers, seedRides, uuid, type World } from "./coordinator.fixtures.ts";
import { cleanUp } from "./cleanup.ts";
import { sweepPageMax } from "./limits.ts";
import { readViolations } from "./read-violations.postgres.ts";
import { sweepPage } from "./sweeper.ts";

setDefaultTimeout(60_000);

let world: World;
const poked: string[] = [];
beforeAll(async () => {
  world = await createWorld({ running: false });
  await world.setMatchingEpoch("ewr", 1);
});
afterAll(async () => {
  expect(await readViolations(world.sql)).toEqual([]);
  await world.close();
});

function sweep(): Promise<number> {
  const { sql, context, regions } = world;
  return sweepPage({ sql, ids: context.ids, regions, logger: context.logger, onCommit: (region) => poked.push(region) });
}

test("sweepPage() fires one page of what is due, then the rest, then nothing", async () => {
  await seedRides(world, sweepPageMax + 20);
  expect(await sweep()).toBe(0);
  await world.sql`UPDATE ride SET timer_at = date_trunc('milliseconds', clock_timestamp())`;
  const fired = [await sweep(), await sweep(), await sweep()];
  console.log(`sweeper: ${fired.join(" + ")} timers fired`);
  expect(fired).toEqual([sweepPageMax, 20, 0]);
  const [left] = await world.sql<{ ended: number; events: number }[]>`
    SELECT (SELECT count(*)::int FROM ride WHERE status = 'no_drivers') AS ended, (SELECT count(*)::int FROM outbox WHERE headers ->> 'type' = 'NoDriversFound') AS events`;
  expect(left).toEqual({ ended: sweepPageMax + 20, events: sweepPageMax + 20 });
  expect([...new Set(poked)]).toEqual(["ewr"]);
});

test("sweepPage() leaves a ride that somebody holds, and fires it the next time", async () => {
  const [held, free] = await seedRides(world, 2);
  await world.sql`UPDATE ride SET timer_at = date_trunc('milliseconds', clock_timestamp()) WHERE ride_id IN (${held?.rideId ?? ""}, ${free?.rideId ?? ""})`;
  await world.sql.begin(async (tx) => {
    await tx`SELECT FROM ride WHERE ride_id = ${held?.rideId ?? ""} FOR UPDATE`;
    expect(await sweep()).toBe(1);
  });
  expect(await sweep()).toBe(1);
});

test("an expired offer frees its driver and blocks it for the ride; the ride keeps its search deadline", async () => {
  const [ride] = await seedRides(world, 1);
  const [driver] = await seedDrivers(world, 1);
  await deliver(world, [{ rideId: ride?.rideId ?? "", rideVersion: 1, epoch: 1, driverId: driver ?? "" }]);
  await world.sql`UPDATE ride SET timer_at = date_trunc('milliseconds', clock_timestamp()), offer_expire_time = date_trunc('milliseconds', clock_timestamp()) WHERE ride_id = ${ride?.rideId ?? ""}`;
  expect(await sweep()).toBe(1);
  const [after] =
    await world.sql`SELECT status, attempt, blocked_drivers, timer_kind, timer_at = search_deadline AS kept FROM ride WHERE ride_id = ${ride?.rideId ?? ""}`;
  expect(after).toEqual({ status: "requested", attempt: 2, blocked_drivers: [driver], timer_kind: "search", kept: true });
  expect([...(await world.sql`SELECT status, version FROM driver WHERE driver_id = ${driver ?? ""}`)]).toEqual([{ status: "available", version: 3 }]);
  // Blocked: the same driver is not asked again.
  const again = await deliver(world, [{ rideId: ride?.rideId ?? "", rideVersion: 3, epoch: 1, driverId: driver ?? "" }]);
  expect(again).toEqual({ offers: 0, releases: 0, refused: 1 });
});

test("cleanUp() deletes request ids after a day and quotes after their time, in batches, and nothing else", async () => {
  await world.sql`
    INSERT INTO request (principal, method, request_id, fingerprint, answer, create_time)
    SELECT 'p', 'M', gen_random_uuid(), '', '', now() - n * interval '1 hour' FROM generate_series(0, 47) n, generate_series(1, 100)`;
  const { quote } = await world
    .as("rider", "r-1")
    .quoteFare({ command: { pickup: { latitude: 40.758, longitude: -73.9855 }, dropoff: { latitude: 40.7484, longitude: -73.9857 } } });
  await world.sql`INSERT INTO fare_quote SELECT (jsonb_populate_record(q, jsonb_build_object('quote_id', ${uuid()}::text, 'expire_time', now() - interval '2 hours'))).* FROM fare_quote q`;
  const deleted = await cleanUp(world.sql);
  const [left] = await world.sql<
    { requests: number; quotes: number }[]
  >`SELECT (SELECT count(*)::int FROM request) AS requests, (SELECT count(*)::int FROM fare_quote) AS quotes`;
  console.log(`cleanup: ${deleted} rows deleted`);
  expect({ deleted, ...left }).toEqual({ deleted: 2_401, requests: 2_400, quotes: 1 });
  expect(quote?.quoteId).not.toBe("");
});
