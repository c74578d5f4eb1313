/**
 * The row that says who relays a home region and how far: every statement but the first is fenced by the epoch.
 *
 * A move of the cursor may be lost with the server (its rows are sent again), so those commit without waiting for the
 * disk. Taking the lease may not: a lost epoch would come twice.
 *
 * It is written seldom. While a writing transaction stays open no version of this row can be cleaned away, and every
 * statement on it passes all of them: after 12,000 moves under one transaction a move took three times as long.
 */
import type { Queryable } from "./dependencies.ts";

/** Rows visible in `to` and not in `from`; `to` null means that no batch is open. Up to `lastId` they are in the log. */
export type BatchWindow = { readonly from: string; readonly to: string | null; readonly lastId: number };

export type Tenure = { readonly homeRegion: string; readonly epoch: number };

export interface RelayCursor {
  /** Undefined while another process holds the region. */
  take(homeRegion: string, owner: string): Promise<(Tenure & BatchWindow) | undefined>;
  /** Each answers false when another process has taken over: this one is fenced and must stop. */
  renew(tenure: Tenure): Promise<boolean>;
  /** Stores how far it is. What `lastId` says holds for this `from` and `to` only, so that the three are stored as one. */
  move(tenure: Tenure, window: BatchWindow): Promise<boolean>;
  release(tenure: Tenure): Promise<boolean>;
  /** Fixes where a batch that begins after `from` ends, and says whether it holds anything. Writes nothing. Undefined when fenced. */
  look(tenure: Tenure, from: string): Promise<{ readonly to: string; readonly found: boolean } | undefined>;
}

export function createRelayCursor(sql: Queryable, leaseMs: number): RelayCursor {
  const until = () => sql`clock_timestamp() + ${leaseMs}::float8 * interval '1 ms'`;
  // Evaluated for the row that is updated; local to the statement's own transaction.
  const lazily = () => sql`set_config('synchronous_commit', 'off', true) = 'off'`;

  return {
    async take(homeRegion, owner) {
      await ensureRow(sql, homeRegion);
      const [row] = await sql<(Tenure & BatchWindow)[]>`
        UPDATE outbox_cursor SET owner = ${owner}, epoch = epoch + 1, lease_until = ${until()}
        WHERE home_region = ${homeRegion} AND (lease_until < clock_timestamp() OR owner = ${owner})
          AND set_config('synchronous_commit', 'on', true) = 'on'
        RETURNING home_region AS "homeRegion", epoch::float8 AS epoch, snap_from::text AS "from", snap_to::text AS "to", last_id::float8 AS "lastId"`;
      return row;
    },
    async renew({ homeRegion, epoch }) {
      const updated = await sql`UPDATE outbox_cursor SET lease_until = ${until()} WHERE home_region = ${homeRegion} AND epoch = ${epoch} AND ${lazily()}`;
      return updated.count === 1;
    },
    async move({ homeRegion, epoch }, { from, to, lastId }) {
      const updated = await sql`
        UPDATE outbox_cursor SET snap_from = ${from}::text::pg_snapshot, snap_to = ${to}::text::pg_snapshot, last_id = ${lastId}, lease_until = ${until()}
        WHERE home_region = ${homeRegion} AND epoch = ${epoch} AND ${lazily()}`;
      return updated.count === 1;
    },
    async release({ homeRegion, epoch }) {
      const updated = await sql`UPDATE outbox_cursor SET owner = NULL, lease_until = 'epoch' WHERE home_region = ${homeRegion} AND epoch = ${epoch}`;
      return updated.count === 1;
    },
    async look({ homeRegion, epoch }, from) {
      const [row] = await sql<{ to: string; found: boolean }[]>`
        SELECT pg_current_snapshot()::text AS "to", ${anyNotVisibleIn(sql, homeRegion, from)} AS found
        FROM outbox_cursor WHERE home_region = ${homeRegion} AND epoch = ${epoch}`;
      return row;
    },
  };
}

/**
 * Whether the region has a row that is not visible in the snapshot: its newest transaction is later, or one is there that
 * was open in it. By the index's end: where any row would do, Postgres expects to meet one soon and reads from the start.
 */
export function anyNotVisibleIn(sql: Queryable, homeRegion: string, snapshot: string) {
  return sql`(coalesce((SELECT xid FROM outbox WHERE home_region = ${homeRegion} ORDER BY xid DESC LIMIT 1) >= pg_snapshot_xmax(${snapshot}::text::pg_snapshot), false)
    OR EXISTS (SELECT FROM ${openIn(sql, snapshot)} CROSS JOIN LATERAL (SELECT FROM outbox WHERE home_region = ${homeRegion} AND xid = open_xid OFFSET 0) AS late))`;
}

/**
 * Transactions that were open in the snapshot, to be looked up one by one: OFFSET 0 keeps the lookup apart. Asked for by
 * `xid = ANY`, a plan made while the outbox is small reads all of the region's rows for them, and is kept.
 */
export function openIn(sql: Queryable, snapshot: string) {
  return sql`pg_snapshot_xip(${snapshot}::text::pg_snapshot) AS open_in (open_xid)`;
}

/** A region's first cursor begins before the first transaction: rows may be older than it. */
async function ensureRow(sql: Queryable, homeRegion: string): Promise<void> {
  const found = await sql`SELECT FROM outbox_cursor WHERE home_region = ${homeRegion}`;
  if (found.count === 0) await sql`INSERT INTO outbox_cursor (home_region, snap_from) VALUES (${homeRegion}, '3:3:') ON CONFLICT DO NOTHING`;
}
