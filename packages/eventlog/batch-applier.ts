/**
 * Applies a batch in one transaction that ends with the checkpoint, and finds out which records can never be applied:
 * those are dead-lettered in the same transaction, later ones of their keys wait behind them, the rest goes on.
 */
import { type CheckpointKey, Fenced, saveCheckpoint } from "./checkpoint.ts";
import type { ConsumedBatch, TopicLoopDeps } from "./consumer.ts";
import { createDeadLetterStore, type DeadLetter, PoisonRecord, storableText } from "./dead-letter.ts";
import type { StoredRecord } from "./event-log.ts";
import { isTransientFault } from "./fault.ts";

export interface BatchApplier {
  /** Answers the next offset. @throws Fenced, or a fault that passes by itself. */
  applyAll(records: readonly StoredRecord[]): Promise<number>;
}

export function createBatchApplier(deps: TopicLoopDeps, key: CheckpointKey): BatchApplier {
  const { context, sql, lease } = deps;
  const { topic, partition, homeRegion, consumer } = key;
  const letters = createDeadLetterStore();

  /** An unexplained failure is narrowed down by applying the records one by one. */
  async function applyAll(records: readonly StoredRecord[]): Promise<number> {
    try {
      return await applyBatch(records, new Map());
    } catch (error) {
      if (error instanceof Fenced || isTransientFault(error)) throw error;
      context.logger.warn({ error, ...key }, `Cannot apply ${records.length} records of ${topic}/${partition} as "${consumer}"; applying one by one`);
    }
    let next = 0;
    for (const record of records) next = await applyOne(record);
    return next;
  }

  async function applyOne(record: StoredRecord): Promise<number> {
    try {
      return await applyBatch([record], new Map());
    } catch (error) {
      if (error instanceof Fenced || isTransientFault(error)) throw error;
      return await applyBatch([record], new Map([[record.offset, new PoisonRecord(record.offset, String(error), { cause: error })]]));
    }
  }

  /** One transaction; a record that turns out poisoned starts it again without that record, so the rest is applied. */
  async function applyBatch(records: readonly StoredRecord[], known: ReadonlyMap<number, PoisonRecord>): Promise<number> {
    const poisoned = new Map(known);
    for (;;) {
      try {
        return await commitBatch(records, poisoned);
      } catch (error) {
        if (!(error instanceof PoisonRecord) || poisoned.has(error.offset) || !records.some((record) => record.offset === error.offset)) throw error;
        poisoned.set(error.offset, error);
        context.logger.error({ error, ...key, offset: error.offset }, `Dead-lettering the record at ${topic}/${partition} ${error.offset}: ${error.reason}`);
      }
    }
  }

  async function commitBatch(records: readonly StoredRecord[], poisoned: ReadonlyMap<number, PoisonRecord>): Promise<number> {
    const nextOffset = (records.at(-1)?.offset ?? -1) + 1;
    const applied = await sql.begin(async (tx) => {
      const parked = new Set(await letters.parkedKeys(tx, key, [...new Set(records.map((record) => record.key))]));
      const { sound, dead } = sortOut(records, { key, poisoned, parked });
      const batch: ConsumedBatch = { topic, partition, homeRegion, lease, records: sound };
      if (sound.length > 0) await deps.apply(tx, batch);
      await letters.put(tx, dead);
      if (dead.length > 0) await deps.onDeadLetters?.(tx, dead);
      await saveCheckpoint(tx, { lease, offsets: [{ topic, nextOffset }] });
      return batch;
    });
    if (applied.records.length > 0) deps.onCommitted?.(applied);
    return nextOffset;
  }

  return { applyAll };
}

type Sorting = { readonly key: CheckpointKey; readonly poisoned: ReadonlyMap<number, PoisonRecord>; readonly parked: Set<string> };

/** In offset order: a poisoned record parks its key, and what follows of a parked key waits behind it. */
function sortOut(
  records: readonly StoredRecord[],
  { key, poisoned, parked }: Sorting,
): { readonly sound: readonly StoredRecord[]; readonly dead: readonly DeadLetter[] } {
  const sound: StoredRecord[] = [];
  const dead: DeadLetter[] = [];
  for (const record of records) {
    const poison = poisoned.get(record.offset);
    if (poison) dead.push({ ...key, kind: "poison", reason: poison.reason, attempts: 1, record });
    else if (parked.has(storableText(record.key)))
      dead.push({ ...key, kind: "waiting", reason: "an earlier record of its key is dead-lettered", attempts: 0, record });
    else sound.push(record);
    if (poison) parked.add(storableText(record.key));
  }
  return { sound, dead };
}
