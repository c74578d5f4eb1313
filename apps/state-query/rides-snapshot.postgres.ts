/**
 * The stored snapshot of a region's rides: a copy of the model at its checkpoints, from which a rebuild starts once the
 * log no longer reaches back. Only what has changed since the last one is written. A ride that was wrong in the model
 * when it changed last is as wrong here.
 */
import { physicalTopic } from "@ridegrid/contracts";
import type { Sql } from "@ridegrid/runtime";
import { consumerName } from "./consumer-name.ts";

export type SnapshotOf = { readonly sql: Sql; readonly region: string };

/** Says whether it took one: not when the last is younger than `everyMs`, or another process is at it. */
export async function takeRidesSnapshot({ sql, region }: SnapshotOf, everyMs: number): Promise<boolean> {
  const topic = physicalTopic(region, "ride-events.v1");
  return await sql.begin("isolation level repeatable read", async (tx) => {
    const [lock] = await tx<{ free: boolean }[]>`SELECT pg_try_advisory_xact_lock(hashtextextended(${`snapshot/rides/${region}`}, 0)) AS free`;
    if (lock?.free !== true) return false;
    const positions = await tx`
      INSERT INTO snapshot_position AS p (home_region, partition, next_offset, take_time)
      SELECT home_region, partition, next_offset, now() FROM checkpoint
      WHERE home_region = ${region} AND consumer = ${consumerName} AND topic = ${topic}
      ON CONFLICT (home_region, partition) DO UPDATE SET next_offset = EXCLUDED.next_offset, take_time = EXCLUDED.take_time
      WHERE p.take_time < now() - ${everyMs} * interval '1 millisecond'`;
    if (positions.count === 0) return false;
    await tx`
      INSERT INTO snapshot_ride_view AS s
      SELECT v.* FROM ride_view v LEFT JOIN snapshot_ride_view o USING (home_region, ride_id)
      WHERE v.home_region = ${region} AND (o.version IS NULL OR o.version < v.version)
      ON CONFLICT (home_region, ride_id) DO UPDATE SET driver_id = EXCLUDED.driver_id, status = EXCLUDED.status, open = EXCLUDED.open,
        version = EXCLUDED.version, update_time = EXCLUDED.update_time, ride = EXCLUDED.ride`;
    await tx`DELETE FROM snapshot_parked_ride_event WHERE home_region = ${region}`;
    await tx`INSERT INTO snapshot_parked_ride_event SELECT * FROM parked_ride_event WHERE home_region = ${region}`;
    return true;
  });
}

/** The next offset of each partition that has a snapshot. */
export async function snapshotPositions({ sql, region }: SnapshotOf): Promise<ReadonlyMap<number, number>> {
  const rows = await sql<{ partition: number; nextOffset: number }[]>`
    SELECT partition, next_offset::float8 AS "nextOffset" FROM snapshot_position WHERE home_region = ${region}`;
  return new Map(rows.map(({ partition, nextOffset }) => [partition, nextOffset]));
}
