/** Drivers in Postgres: one statement a batch. */
import type { Queryable } from "@ridegrid/eventlog";
import type { Sql } from "@ridegrid/runtime";
import type { DriverRecord } from "./driver-record.ts";
import type { DriverHistoryBounds, DriverStore, MarketDriverRow, StoredDriverEvent } from "./driver-store.ts";

export function createPostgresDriverStore({ sql, region }: { readonly sql: Sql; readonly region: string }): DriverStore {
  return {
    async onShift(marketId, limit) {
      return await sql<MarketDriverRow[]>`
        SELECT driver_id AS "driverId", status FROM driver_view
        WHERE home_region = ${region} AND market_id = ${marketId} AND status <> 'offline' ORDER BY driver_id LIMIT ${limit}`;
    },
    async latest(driverId) {
      const [row] = await sql<StoredDriverEvent[]>`SELECT version, payload FROM driver_view WHERE home_region = ${region} AND driver_id = ${driverId}`;
      return row ?? null;
    },
    async eventsFrom(driverId, version, limit) {
      return await sql<StoredDriverEvent[]>`
        SELECT version, payload FROM driver_event
        WHERE home_region = ${region} AND driver_id = ${driverId} AND version >= ${version} ORDER BY version LIMIT ${limit}`;
    },
    async changedBetween(partition, from, to, limit) {
      const rows = await sql<{ driver_id: string }[]>`
        SELECT DISTINCT driver_id FROM driver_event
        WHERE home_region = ${region} AND partition = ${partition} AND "offset" >= ${from} AND "offset" < ${to} LIMIT ${limit}`;
      return rows.map((row) => row.driver_id);
    },
    write: (tx, records) => writeDrivers(tx, region, records),
    prune: (bounds, limit) => pruneHistory(sql, region, bounds, limit),
  };
}

async function writeDrivers(tx: Queryable, region: string, records: readonly DriverRecord[]): Promise<readonly string[]> {
  if (records.length === 0) return [];
  const rows = records.map(({ payload, driverId, marketId, occurredAtMs, ...row }) => ({
    ...row,
    driver_id: driverId,
    market_id: marketId,
    occur_ms: occurredAtMs,
    payload: Buffer.from(payload).toString("base64"),
  }));
  const moved = await tx<{ driver_id: string }[]>`
    WITH told AS MATERIALIZED (
      SELECT driver_id, version, partition, "offset", market_id, status, to_timestamp(occur_ms / 1000) AS occur_time, decode(payload, 'base64') AS payload
      FROM jsonb_to_recordset(${tx.json(rows)}) AS row(
        driver_id text, version bigint, partition int, "offset" bigint, market_id text, status text, occur_ms float8, payload text)
    ), kept AS (
      INSERT INTO driver_event (home_region, driver_id, version, partition, "offset", occur_time, payload)
      SELECT ${region}::text, driver_id, version, partition, "offset", occur_time, payload FROM told ORDER BY driver_id, version
      ON CONFLICT DO NOTHING
    )
    INSERT INTO driver_view (home_region, driver_id, partition, market_id, status, version, update_time, payload)
    SELECT DISTINCT ON (driver_id) ${region}::text, driver_id, partition, market_id, status, version, occur_time, payload FROM told
    ORDER BY driver_id, version DESC
    ON CONFLICT (home_region, driver_id) DO UPDATE SET partition = EXCLUDED.partition, market_id = EXCLUDED.market_id, status = EXCLUDED.status,
      version = EXCLUDED.version, update_time = EXCLUDED.update_time, payload = EXCLUDED.payload
    WHERE driver_view.version < EXCLUDED.version
    RETURNING driver_id`;
  return moved.map((row) => row.driver_id);
}

/** Goes from the oldest on by the time index; rows that another process is deleting are left to it. */
async function pruneHistory(sql: Sql, region: string, bounds: DriverHistoryBounds, limit: number): Promise<number> {
  const result = await sql`
    WITH past AS (
      SELECT e.home_region, e.driver_id, e.version FROM driver_event e JOIN driver_view v USING (home_region, driver_id)
      WHERE e.home_region = ${region} AND e.occur_time < now() - ${bounds.olderMs} * interval '1 millisecond'
        AND (e.version <= v.version - ${bounds.versions} OR e.occur_time < now() - ${bounds.oldestMs} * interval '1 millisecond')
      ORDER BY e.occur_time LIMIT ${limit} FOR UPDATE OF e SKIP LOCKED)
    DELETE FROM driver_event e USING past WHERE e.home_region = past.home_region AND e.driver_id = past.driver_id AND e.version = past.version`;
  return result.count;
}
