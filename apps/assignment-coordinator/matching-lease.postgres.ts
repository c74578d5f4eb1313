/** Reads matching's leases, the one thing of another writer that the coordinator may see: their epochs fence proposals. */
import type { Queryable } from "@ridegrid/eventlog";

type MatchingPartition = { readonly homeRegion: string; readonly partition: number; readonly consumer: string };

/** 0 where matching has never held the partition: no proposal has that epoch. */
export async function currentLeaseEpoch(sql: Queryable, { homeRegion, partition, consumer }: MatchingPartition): Promise<number> {
  const rows = await sql<{ epoch: number }[]>`
    SELECT epoch::float8 AS epoch FROM matching.lease WHERE home_region = ${homeRegion} AND consumer = ${consumer} AND partition = ${partition}`;
  return rows[0]?.epoch ?? 0;
}
