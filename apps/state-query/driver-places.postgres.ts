/** Drivers' places in Postgres; the search is the database's function, in whichever form it has. */
import type { Sql } from "@ridegrid/runtime";
import type { DriverPlace, DriverPlaces, NearDriver } from "./driver-places.ts";

export function createPostgresDriverPlaces({ sql, region }: { readonly sql: Sql; readonly region: string }): DriverPlaces {
  return {
    record: (places) => recordPlaces(sql, region, places),
    async nearest({ near, radiusMeters, seenAfterMs, limit }) {
      const rows = await sql<(Omit<NearDriver, "observedAtMs"> & { readonly observeTime: Date })[]>`
        SELECT driver_id AS "driverId", market_id AS "marketId", latitude, longitude, heading_degrees AS "headingDegrees", observe_time AS "observeTime",
          distance_meters AS "distanceMeters"
        FROM nearest_available_drivers(${region}, ${near.latitude}, ${near.longitude}, ${radiusMeters}, ${new Date(seenAfterMs)}, ${limit})`;
      return rows.map(({ observeTime, ...row }) => ({ ...row, observedAtMs: observeTime.getTime() }));
    },
    async forget(beforeMs) {
      const result = await sql`DELETE FROM driver_position WHERE home_region = ${region} AND observe_time < ${new Date(beforeMs)}`;
      return result.count;
    },
  };
}

async function recordPlaces(sql: Sql, region: string, places: readonly DriverPlace[]): Promise<void> {
  if (places.length === 0) return;
  const rows = places.map(({ driverId, position }) => ({
    driver_id: driverId,
    latitude: position.latitude,
    longitude: position.longitude,
    heading_degrees: position.headingDegrees,
    observe_ms: position.observedAtMs,
    sequence: String(position.sequence),
  }));
  // In order of driver, so that two processes at it cannot wait for each other.
  await sql`
    INSERT INTO driver_position AS p (home_region, driver_id, latitude, longitude, heading_degrees, observe_time, sequence)
    SELECT ${region}, driver_id, latitude, longitude, heading_degrees, to_timestamp(observe_ms / 1000), sequence
    FROM jsonb_to_recordset(${sql.json(rows)}) AS row(driver_id text, latitude float8, longitude float8, heading_degrees float8, observe_ms float8, sequence bigint)
    ORDER BY driver_id
    ON CONFLICT (home_region, driver_id) DO UPDATE SET latitude = EXCLUDED.latitude, longitude = EXCLUDED.longitude,
      heading_degrees = EXCLUDED.heading_degrees, observe_time = EXCLUDED.observe_time, sequence = EXCLUDED.sequence
    WHERE (p.observe_time, p.sequence) < (EXCLUDED.observe_time, EXCLUDED.sequence)`;
}
