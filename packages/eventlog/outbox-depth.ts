/** How much the outbox still holds for each home region, how old it is, and whether writers must refuse new work. */
import type { Queryable } from "./dependencies.ts";
import { type OutboxBounds, outboxBounds } from "./limits.ts";

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
  const rowsBound = backlogRowsMax + 1;
  const regions = await sql<OutboxDepth[]>`
    SELECT c.home_region AS "homeRegion", d.rows::float8 AS rows,
      coalesce(greatest(0, extract(epoch FROM clock_timestamp() - d.oldest) * 1000), 0)::float8 AS "oldestAgeMs"
    FROM outbox_cursor c CROSS JOIN LATERAL (
      SELECT count(*) AS rows, min(create_time) AS oldest FROM (
        SELECT create_time FROM outbox o
        WHERE o.home_region = c.home_region AND (o.xid >= pg_snapshot_xmax(c.snap_from) OR o.xid = ANY (ARRAY(SELECT pg_snapshot_xip(c.snap_from))))
          AND NOT (c.snap_to IS NOT NULL AND o.id <= c.last_id AND pg_visible_in_snapshot(o.xid, c.snap_to))
        LIMIT ${rowsBound}) unsent
    ) d ORDER BY 1`;
  const [size] = await sql<{ bytes: number }[]>`
    SELECT coalesce(sum(pg_total_relation_size(inhrelid)), 0)::float8 AS bytes FROM pg_inherits WHERE inhparent = 'outbox'::regclass`;
  const bytes = size?.bytes ?? 0;
  const full = bytes > backlogBytesMax || regions.some((region) => region.rows > backlogRowsMax);
  return { regions: [...regions], bytes, full };
}
