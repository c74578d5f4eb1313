/** What a rebuild of the rides does to the tables: prepares them, says what would be lost, and swaps in one transaction. */
import type { Queryable } from "@ridegrid/eventlog";
import type { Sql } from "@ridegrid/runtime";
import type { RideTables } from "./ride-store.postgres.ts";

export const rebuiltTables: RideTables = { view: "rebuilt_ride_view", event: "rebuilt_ride_event", parked: "rebuilt_parked_ride_event" };

/** Held while a rebuild is under way; dead letters are not replayed beside it. */
export async function claimRebuild(tx: Queryable, region: string): Promise<boolean> {
  const [lock] = await tx<{ free: boolean }[]>`SELECT pg_try_advisory_xact_lock(hashtextextended(${lockName(region)}, 0)) AS free`;
  return lock?.free === true;
}

/** Whether no rebuild is under way; none begins until the transaction ends. */
export async function keepRebuildsOut(tx: Queryable, region: string): Promise<boolean> {
  const [lock] = await tx<{ free: boolean }[]>`SELECT pg_try_advisory_xact_lock_shared(hashtextextended(${lockName(region)}, 0)) AS free`;
  return lock?.free === true;
}

function lockName(region: string): string {
  return `rebuild/rides/${region}`;
}

export async function clearRebuilt(sql: Queryable, region: string): Promise<void> {
  for (const table of Object.values(rebuiltTables)) await sql`DELETE FROM ${sql(table)} WHERE home_region = ${region}`;
}

export async function seedFromSnapshot(sql: Sql, region: string): Promise<void> {
  await sql`INSERT INTO rebuilt_ride_view SELECT * FROM snapshot_ride_view WHERE home_region = ${region}`;
  await sql`INSERT INTO rebuilt_parked_ride_event SELECT * FROM snapshot_parked_ride_event WHERE home_region = ${region}`;
}

/** Offsets that are put aside as dead letters: the live fold left them out, and so does the rebuilt one. */
export async function deadOffsets(
  sql: Queryable,
  at: { readonly consumer: string; readonly topic: string; readonly partition: number; readonly from: number },
) {
  const rows = await sql<{ offset: number }[]>`
    SELECT record_offset::float8 AS "offset" FROM dead_letter
    WHERE consumer = ${at.consumer} AND topic = ${at.topic} AND partition = ${at.partition} AND record_offset >= ${at.from} AND resolve_time IS NULL`;
  return new Set(rows.map(({ offset }) => offset));
}

/** Rides that the live model has events of and the rebuilt one lacks, or lacks an event of: the log does not hold them all. */
export async function ridesMissing(tx: Queryable, region: string): Promise<number> {
  const [row] = await tx<{ missing: number }[]>`
    SELECT count(*)::float8 AS missing FROM (
      SELECT e.ride_id FROM ride_event e LEFT JOIN rebuilt_ride_view r USING (home_region, ride_id)
      WHERE e.home_region = ${region} AND e.version = 1 AND r.ride_id IS NULL
      UNION
      SELECT p.ride_id FROM rebuilt_parked_ride_event p LEFT JOIN parked_ride_event l USING (home_region, ride_id)
      WHERE p.home_region = ${region} AND l.ride_id IS NULL) AS gone`;
  return row?.missing ?? 0;
}

export type EventsFrom = { readonly partition: number; readonly from: number };

/** Writes only rows that differ. Events below `origins` were not folded anew and stay as they are. Answers the rides in the model. */
export async function swapIn(tx: Queryable, region: string, origins: readonly EventsFrom[]): Promise<number> {
  await tx`
    DELETE FROM ride_view v WHERE v.home_region = ${region}
      AND NOT EXISTS (SELECT FROM rebuilt_ride_view r WHERE r.home_region = v.home_region AND r.ride_id = v.ride_id)`;
  await tx`
    DELETE FROM ride_view v USING rebuilt_ride_view r
    WHERE v.home_region = ${region} AND r.home_region = v.home_region AND r.ride_id = v.ride_id AND ROW(v.*) IS DISTINCT FROM ROW(r.*)`;
  await tx`INSERT INTO ride_view SELECT * FROM rebuilt_ride_view WHERE home_region = ${region} ON CONFLICT DO NOTHING`;
  await tx`
    DELETE FROM ride_event e USING jsonb_to_recordset(${tx.json(origins.map((origin) => ({ ...origin })))}) AS o(partition int, "from" bigint)
    WHERE e.home_region = ${region} AND e.partition = o.partition AND e."offset" >= o."from"
      AND NOT EXISTS (SELECT FROM rebuilt_ride_event r WHERE r.home_region = e.home_region AND r.ride_id = e.ride_id AND r.version = e.version AND ROW(r.*) IS NOT DISTINCT FROM ROW(e.*))`;
  await tx`INSERT INTO ride_event SELECT * FROM rebuilt_ride_event WHERE home_region = ${region} ON CONFLICT DO NOTHING`;
  await tx`DELETE FROM parked_ride_event WHERE home_region = ${region}`;
  await tx`INSERT INTO parked_ride_event SELECT * FROM rebuilt_parked_ride_event WHERE home_region = ${region}`;
  const [row] = await tx<{ rides: number }[]>`SELECT count(*)::float8 AS rides FROM rebuilt_ride_view WHERE home_region = ${region}`;
  return row?.rides ?? 0;
}
