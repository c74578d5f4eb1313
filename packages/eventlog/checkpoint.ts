/**
 * How far a consumer has read, stored in the transaction of what it did: the effect and the offset stand or fall together.
 *
 * A save is fenced by the lease's epoch and holds the lease row until the commit, so that no takeover slips in between.
 */
import type { Queryable } from "./dependencies.ts";
import type { Lease } from "./lease.ts";
import { checkpointIdleMs } from "./limits.ts";

/** `topic` is the physical name. */
export type CheckpointKey = { readonly homeRegion: string; readonly consumer: string; readonly topic: string; readonly partition: number };

export type CheckpointOffset = { readonly topic: string; readonly nextOffset: number };

/** The lease is another's by now: roll back and stop. */
export class Fenced extends Error {
  override readonly name = "Fenced";
  constructor(readonly lease: Pick<Lease, "homeRegion" | "consumer" | "partition" | "epoch">) {
    super(`Cannot save a checkpoint of "${lease.consumer}" on ${lease.homeRegion}/${lease.partition}: epoch ${lease.epoch} has ended`);
  }
}

export async function loadCheckpoint(sql: Queryable, key: CheckpointKey): Promise<number | undefined> {
  const [row] = await sql<{ nextOffset: number }[]>`
    SELECT next_offset::float8 AS "nextOffset" FROM checkpoint
    WHERE home_region = ${key.homeRegion} AND consumer = ${key.consumer} AND topic = ${key.topic} AND partition = ${key.partition}`;
  return row?.nextOffset;
}

/** The last statement of a batch's transaction. @throws Fenced when the lease has another epoch. */
export async function saveCheckpoint(tx: Queryable, save: { readonly lease: Lease; readonly offsets: readonly CheckpointOffset[] }): Promise<void> {
  const { lease, offsets } = save;
  const rows = JSON.stringify(offsets.map(({ topic, nextOffset }) => ({ topic, next_offset: nextOffset })));
  // A process that sleeps between this statement and its COMMIT would hold off the takeover: the server ends its session.
  const saved = await tx`
    WITH held AS (
      SELECT set_config('idle_in_transaction_session_timeout', ${String(checkpointIdleMs)}, true) FROM lease
      WHERE home_region = ${lease.homeRegion} AND consumer = ${lease.consumer} AND partition = ${lease.partition}
        AND owner = ${lease.owner} AND epoch = ${lease.epoch}
      FOR SHARE
    )
    INSERT INTO checkpoint (home_region, consumer, topic, partition, next_offset)
    SELECT ${lease.homeRegion}::text, ${lease.consumer}::text, c.topic, ${lease.partition}::integer, c.next_offset
    FROM held, jsonb_to_recordset(${rows}::text::jsonb) AS c(topic text, next_offset bigint)
    ON CONFLICT (home_region, consumer, topic, partition) DO UPDATE SET next_offset = excluded.next_offset, update_time = clock_timestamp()`;
  if (saved.count !== offsets.length) throw new Fenced(lease);
}
