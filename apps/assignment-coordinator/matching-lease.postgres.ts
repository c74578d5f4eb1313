/** Reads matching's leases, the one thing of another writer that the coordinator may see: their epochs fence proposals. */
import type { Queryable } from "@ridegrid/eventlog";

/** By `<home region>/<partition>`. A partition that matching never held has none, and no proposal has its epoch. */
export async function readLeaseEpochs(sql: Queryable, consumer: string): Promise<ReadonlyMap<string, number>> {
  const rows = await sql<{ partition: string; epoch: number }[]>`
    SELECT home_region || '/' || partition AS partition, epoch::float8 AS epoch FROM matching.lease WHERE consumer = ${consumer}`;
  return new Map(rows.map((row) => [row.partition, row.epoch]));
}
