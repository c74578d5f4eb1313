/** The statements of leases: one makes the rows, one renews and takes for a whole process, one gives back. */
import type { Pool } from "./dependencies.ts";
import type { Lease, WantedLease } from "./lease.ts";

export type LeaseRow = WantedLease & { readonly epoch: number };

export async function ensureLeaseRows(sql: Pool, consumer: string, wanted: readonly WantedLease[]): Promise<void> {
  await sql`
    INSERT INTO lease (home_region, consumer, partition)
    SELECT home_region, ${consumer}::text, partition FROM ${recordset(sql, wanted)}
    ORDER BY 1, 3 ON CONFLICT DO NOTHING`;
}

/** `epoch` is null for a lease that is not held. */
export type AskedLease = WantedLease & { readonly epoch: number | null };

type Ask = { readonly consumer: string; readonly owner: string; readonly leaseMs: number; readonly asked: readonly AskedLease[] };

/** Renews what is asked for with an epoch that still stands, takes what is asked for without one and has lapsed. Locks in key order. */
export async function renewAndTakeLeases(sql: Pool, { consumer, owner, leaseMs, asked }: Ask): Promise<readonly LeaseRow[]> {
  return await sql<LeaseRow[]>`
    WITH mine AS (
      SELECT l.home_region, l.partition, w.epoch IS NULL AS gained
      FROM lease l JOIN ${recordset(sql, asked)} USING (home_region, partition)
      WHERE l.consumer = ${consumer}
        AND CASE WHEN w.epoch IS NULL THEN l.lease_until < clock_timestamp() ELSE l.owner = ${owner} AND l.epoch = w.epoch END
      ORDER BY l.home_region, l.partition FOR UPDATE OF l
    )
    UPDATE lease l SET owner = ${owner}, epoch = l.epoch + gained::integer, lease_until = clock_timestamp() + ${leaseMs}::float8 * interval '1 ms'
    FROM mine WHERE l.consumer = ${consumer} AND l.home_region = mine.home_region AND l.partition = mine.partition
    RETURNING l.home_region AS "homeRegion", l.partition, l.epoch::float8 AS epoch`;
}

export async function releaseLeases(sql: Pool, leases: readonly Lease[]): Promise<void> {
  const [first] = leases;
  if (!first) return;
  await sql`
    UPDATE lease l SET owner = NULL, lease_until = 'epoch' FROM ${recordset(sql, leases)}
    WHERE l.consumer = ${first.consumer} AND l.home_region = w.home_region AND l.partition = w.partition AND l.owner = ${first.owner} AND l.epoch = w.epoch`;
}

function recordset(sql: Pool, leases: readonly (WantedLease & { readonly epoch?: number | null })[]) {
  const rows = leases.map(({ homeRegion, partition, epoch }) => ({ home_region: homeRegion, partition, epoch: epoch ?? null }));
  return sql`jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) AS w(home_region text, partition integer, epoch bigint)`;
}
