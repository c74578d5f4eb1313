/** How much the outbox still holds for each home region, how old it is, and whether writers must refuse new work. */
import type { Queryable } from "./dependencies.ts";
import { type OutboxBounds, outboxBounds } from "./limits.ts";
import { rowsOfBatch } from "./relay-batch.ts";
import type { BatchWindow } from "./relay-cursor.ts";

export type OutboxDepth = {
  readonly homeRegion: string;
  /** Rows not yet known to be in the log; counted up to the bound. */
  readonly rows: number;
  /** Age of the oldest of them; 0 when there is none. */
  readonly oldestAgeMs: number;
};

export type OutboxBacklog = { readonly regions: readonly OutboxDepth[]; readonly bytes: number; readonly full: boolean };

/** `bytes` is the disk that the outbox takes, sent rows that are kept for replay included. */
export async function readOutboxBacklog(sql: Queryable, { backlogRowsMax, backlogBytesMax }: OutboxBounds = outboxBounds): Promise<OutboxBacklog> {
  const cursors = await sql<Cursor[]>`
    SELECT home_region AS "homeRegion", snap_from::text AS "from", snap_to::text AS "to", last_id::float8 AS "lastId", pg_current_snapshot()::text AS now
    FROM outbox_cursor ORDER BY 1`;
  const regions: OutboxDepth[] = [];
  for (const cursor of cursors) regions.push(await readDepth(sql, cursor, backlogRowsMax + 1));
  const [size] = await sql<{ bytes: number }[]>`
    SELECT coalesce(sum(pg_total_relation_size(inhrelid)), 0)::float8 AS bytes FROM pg_inherits WHERE inhparent = 'outbox'::regclass`;
  const bytes = size?.bytes ?? 0;
  const full = bytes > backlogBytesMax || regions.some((region) => region.rows > backlogRowsMax);
  return { regions, bytes, full };
}

type Cursor = BatchWindow & { readonly homeRegion: string; readonly now: string };

/** Asked for like a batch of the relay, by index: what it reads does not grow with what was sent. */
async function readDepth(sql: Queryable, { homeRegion, from, to, lastId, now }: Cursor, rowsMax: number): Promise<OutboxDepth> {
  const [depth] = await sql<Omit<OutboxDepth, "homeRegion">[]>`
    SELECT count(*)::float8 AS rows, coalesce(greatest(0, extract(epoch FROM clock_timestamp() - min(create_time)) * 1000), 0)::float8 AS "oldestAgeMs"
    FROM (
      SELECT create_time FROM ${rowsOfBatch(sql, { homeRegion, from, to: now, lastId: 0 })} AS since
      WHERE NOT (${to}::text IS NOT NULL AND id <= ${lastId}::bigint AND pg_visible_in_snapshot(xid, ${to}::text::pg_snapshot))
      LIMIT ${rowsMax}) AS unsent`;
  return { homeRegion, rows: depth?.rows ?? 0, oldestAgeMs: depth?.oldestAgeMs ?? 0 };
}
