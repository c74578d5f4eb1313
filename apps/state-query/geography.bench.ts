/** What a search by place costs on 100,000 drivers in one city, in both forms, each in turn with a scan of all of them. */
import type { Sql } from "@ridegrid/runtime";
import { createSeededRandom, createTestDatabase, type Figure, type Measurement, postgisServerMissing, startPostgisServer } from "@ridegrid/testing";
import { migrateState } from "./app.ts";
import { chooseGeography } from "./choose-geography.ts";
import { createPostgresDriverPlaces } from "./driver-places.postgres.ts";
import type { DriverPlaces } from "./driver-places.ts";
import { addDrivers, around, nowMs, type PlacedDriver } from "./geography.fixture.ts";
import { placesPerRoundMax } from "./limits.ts";

const city = { latitude: 40.75, longitude: -73.95 };
const [driverCount, batch] = [100_000, 10_000];
const [rounds, queriesPerRound, scansPerRound] = [5, 1_000, 10];
/** Two at once: the server has its own core. */
const connections = 2;

export const figures: readonly Figure[] = [
  {
    name: "geography",
    doc: "the ten nearest of 100,000 drivers in 50 × 50 km, 70 % of them available, by the read model's own function on two connections; and what recording costs",
    run: measureGeography,
  },
];

async function measureGeography(): Promise<readonly Measurement[]> {
  const missing = postgisServerMissing();
  if (missing !== null) process.stderr.write(`Measuring the portable form only: ${missing}\n`);
  const server = missing === null ? await startPostgisServer() : undefined;
  const database = await createTestDatabase({ platform: true, ...(server === undefined ? {} : { serverUrl: server.url }) });
  try {
    const sql = database.sql({ role: "state", schema: "state" });
    await migrateState(sql);
    const places = createPostgresDriverPlaces({ sql, region: "ewr" });
    await fill(sql, places);
    const measured = await measureForm(database.sql(), sql, places);
    if (server === undefined) return measured;
    await database.sql()`DROP EXTENSION postgis CASCADE`;
    return [...measured, ...(await measureForm(database.sql(), sql, places))];
  } finally {
    await database.drop();
    await server?.stop();
  }
}

async function fill(sql: Sql, places: DriverPlaces): Promise<void> {
  const random = createSeededRandom(7);
  const drivers: readonly PlacedDriver[] = Array.from({ length: driverCount }, (_, index) => ({
    ...around(random, city, 0.5),
    driverId: `d-${index}`,
    status: random.next() < 0.7 ? "available" : "on_trip",
    observedAtMs: nowMs,
  }));
  for (let from = 0; from < driverCount; from += batch) await addDrivers(sql, { places, region: "ewr" }, drivers.slice(from, from + batch));
}

async function measureForm(owner: Sql, sql: Sql, places: DriverPlaces): Promise<readonly Measurement[]> {
  const { form } = await chooseGeography(sql);
  await owner`VACUUM ANALYZE state.driver_position, state.driver_view`;
  const random = createSeededRandom(8);
  const nearest = () => places.nearest({ near: around(random, city, 0.4), radiusMeters: 5_000, seenAfterMs: nowMs, limit: 10 });
  const scan = () => scanAll(sql, around(random, city, 0.4));
  await perSecond(200, nearest);
  const [samples, scans]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    samples.push(await perSecond(queriesPerRound, nearest));
    scans.push(await perSecond(scansPerRound, scan));
  }
  const nearestTen = {
    what: `nearest 10, ${form}`,
    unit: "queries/s",
    samples,
    peer: { what: "a scan of all drivers", samples: scans },
    goal: { atLeast: 20 },
  };
  const indexed = await recordRounds(places);
  await sql`DROP INDEX ${sql(form === "postgis" ? "driver_position_geography" : "driver_position_band")}`;
  const peer = { what: "without an index by place", samples: await recordRounds(places) };
  return [nearestTen, { what: `moved drivers recorded, ${form}`, unit: "drivers/s", samples: indexed, peer }];
}

/** Rounds as the recorder's own: 10,000 drivers that have moved, in one statement. */
async function recordRounds(places: DriverPlaces): Promise<readonly number[]> {
  const random = createSeededRandom(9);
  const perSecond: number[] = [];
  for (let round = 0; round < rounds; round++) {
    // Later than any round before: an older position would change nothing.
    const observedAtMs = nowMs + Math.ceil(performance.now());
    const moved = Array.from({ length: placesPerRoundMax }, (_, index) => {
      const position = { ...around(random, city, 0.5), headingDegrees: 90, observedAtMs, sequence: 1n };
      return { driverId: `d-${index * 7}`, position };
    });
    const startedAtMs = performance.now();
    await places.record(moved);
    perSecond.push((moved.length * 1_000) / (performance.now() - startedAtMs));
  }
  return perSecond;
}

async function scanAll(sql: Sql, { latitude, longitude }: { readonly latitude: number; readonly longitude: number }): Promise<unknown> {
  return await sql`
    SELECT p.driver_id, great_circle_meters(p.latitude, p.longitude, ${latitude}, ${longitude}) AS meters
    FROM driver_position p JOIN driver_view v USING (home_region, driver_id)
    WHERE p.home_region = 'ewr' AND v.status = 'available' ORDER BY meters LIMIT 10`;
}

async function perSecond(count: number, query: () => Promise<unknown>): Promise<number> {
  const startedAtMs = performance.now();
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await query();
  };
  await Promise.all(Array.from({ length: connections }, worker));
  return (count * 1_000) / (performance.now() - startedAtMs);
}
