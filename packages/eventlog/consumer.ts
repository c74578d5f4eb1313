/**
 * Consumes the partition of a lease: reads from the checkpoint, applies a batch and saves the checkpoint in one
 * transaction, again and again until the lease ends. Delivered at least once, in order per key; the effect is once.
 *
 * Faults of database, network or log are retried with jitter, from the stored checkpoint: it answers whether a COMMIT
 * that died took place. A record that fails by itself is dead-lettered and later ones of its key wait; others go on.
 */
import { createBatchApplier } from "./batch-applier.ts";
import { type CheckpointKey, Fenced, loadCheckpoint, saveCheckpoint } from "./checkpoint.ts";
import type { DeadLetter } from "./dead-letter.ts";
import type { HostContext, Pool, Transaction } from "./dependencies.ts";
import { type EventLog, OffsetAboveEnd, OffsetBelowStart, type StoredRecord } from "./event-log.ts";
import type { Lease } from "./lease.ts";
import { type ConsumerLimits, consumerLimits } from "./limits.ts";
import { createProcessTelemetry } from "./process-telemetry.ts";
import { pause, retryDelayMs } from "./waiting.ts";

export type ConsumedBatch = {
  readonly topic: string;
  readonly partition: number;
  readonly homeRegion: string;
  readonly lease: Lease;
  /** Parked keys' records are left out; never empty. */
  readonly records: readonly StoredRecord[];
};

export type ConsumerDeps = {
  readonly context: Pick<HostContext, "random" | "logger" | "meter" | "tracer">;
  readonly sql: Pool;
  readonly lease: Lease;
  readonly eventLog: EventLog;
  /** Physical names; each is read by a loop of its own. */
  readonly topics: readonly string[];
  /**
   * Applies the effect; everything it does to the database goes through `tx`. Idempotent: the batch may come again.
   * @throws PoisonRecord for a record that can never be applied; any other error that is not a passing fault makes the
   * batch be tried record by record, and the record that fails alone is dead-lettered.
   */
  readonly apply: (tx: Transaction, batch: ConsumedBatch) => Promise<void>;
  /** After each commit; the place for waking watchers. */
  readonly onCommitted?: (batch: ConsumedBatch) => void;
  /** In the same transaction as the dead letters: a consumer that has an outbox copies them to the topic. */
  readonly onDeadLetters?: (tx: Transaction, letters: readonly DeadLetter[]) => Promise<void>;
  /**
   * The log no longer reaches back to the checkpoint, or is another log: records are missing. Answers the offset to go
   * on from when the model is whole again; a rejection is tried again.
   */
  readonly onGap: (error: OffsetBelowStart | OffsetAboveEnd) => Promise<number>;
  /** Where to begin without a checkpoint. */
  readonly startAt?: "start" | "end";
  readonly limits?: Partial<ConsumerLimits>;
};

export type ConsumerEnd = "stopped" | "fenced";

/** Resolves when the lease's signal aborts and the batch in hand is done, or when a checkpoint is fenced. Never rejects for a fault. */
export async function runConsumer(deps: ConsumerDeps): Promise<ConsumerEnd> {
  const limits = { ...consumerLimits, ...deps.limits };
  const ends = await Promise.all(deps.topics.map((topic) => createTopicLoop({ ...deps, limits }, topic).run()));
  return ends.includes("fenced") ? "fenced" : "stopped";
}

export type TopicLoopDeps = Omit<ConsumerDeps, "limits"> & { readonly limits: ConsumerLimits };

function createTopicLoop(deps: TopicLoopDeps, topic: string) {
  const { context, sql, lease, eventLog, limits } = deps;
  const { partition, homeRegion, consumer, signal } = lease;
  const key: CheckpointKey = { homeRegion, consumer, topic, partition };
  const readLimits = { maxRecords: limits.batchRecordsMax, maxBytes: limits.batchBytesMax, maxWaitMs: limits.waitMs };
  const applier = createBatchApplier(deps, key);
  const lag = createLagGauge(deps, topic);
  const processing = createProcessTelemetry({ ...context, topic, partition, consumer });

  async function run(): Promise<ConsumerEnd> {
    for (let failures = 0; !signal.aborted;) {
      try {
        let offset = await startOffset();
        while (!signal.aborted) {
          const records = await eventLog.read(topic, partition, offset, readLimits, signal);
          if (records.length > 0) offset = await processing.around(records, () => applier.applyAll(records));
          failures = 0;
          await lag.observe(offset, records.length);
        }
      } catch (error) {
        if (error instanceof Fenced) return "fenced";
        if (signal.aborted) return "stopped";
        if (error instanceof OffsetBelowStart || error instanceof OffsetAboveEnd) await bridgeGap(error);
        else context.logger.warn({ error, ...key }, `Cannot consume ${topic}/${partition} as "${consumer}"; trying again`);
        await pause(retryDelayMs(failures++, limits, context.random), signal);
      }
    }
    return "stopped";
  }

  async function startOffset(): Promise<number> {
    const stored = await loadCheckpoint(sql, key);
    if (stored !== undefined) return stored;
    const bounds = await eventLog.bounds(topic, partition);
    return deps.startAt === "end" ? bounds.end : bounds.start;
  }

  async function bridgeGap(gap: OffsetBelowStart | OffsetAboveEnd): Promise<void> {
    context.logger.error({ error: gap, ...key }, `"${consumer}" misses records of ${topic}/${partition}`);
    try {
      const nextOffset = await deps.onGap(gap);
      await sql.begin((tx) => saveCheckpoint(tx, { lease, offsets: [{ topic, nextOffset }] }));
    } catch (error) {
      context.logger.error({ error, ...key }, `Cannot make up for the missing records of ${topic}/${partition}; trying again`);
    }
  }

  return { run };
}

/** `kafka_consumer_lag` in records. A short read is at the end: only a consumer that is behind asks the log. */
function createLagGauge({ context, lease, eventLog, limits }: TopicLoopDeps, topic: string) {
  const gauge = context.meter.createGauge("kafka_consumer_lag", { description: "Records between a consumer's checkpoint and the end of the partition" });
  const attributes = { consumer: lease.consumer, topic, partition: lease.partition, region: lease.homeRegion };
  let measuredAt = Number.NEGATIVE_INFINITY;
  return {
    async observe(offset: number, readCount: number): Promise<void> {
      if (readCount === 0) return gauge.record(0, attributes);
      if (performance.now() - measuredAt < limits.lagEveryMs) return;
      measuredAt = performance.now();
      const { end } = await eventLog.bounds(topic, lease.partition);
      gauge.record(Math.max(0, end - offset), attributes);
    },
  };
}
