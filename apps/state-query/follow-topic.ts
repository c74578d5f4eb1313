/**
 * Follows a topic of the region into memory, from a while ago on. Every process does, lease or not: what is shown is
 * never decided by. The log away leaves what is known where it is.
 */
import { physicalTopic, type TopicName } from "@ridegrid/contracts";
import { type EventLog, OffsetBelowStart } from "@ridegrid/eventlog";
import type { ProcessContext } from "@ridegrid/runtime";
import { logWaitMs, telemetryBatchBytesMax, telemetryBatchRecordsMax } from "./limits.ts";
import { retryForever } from "./retry-forever.ts";

export type FollowedTopic = {
  readonly context: ProcessContext;
  readonly region: string;
  readonly eventLog: EventLog;
  readonly name: TopicName;
  readonly backfillMs: number;
  /** A record that makes it throw is dropped. */
  readonly apply: (value: Uint8Array) => void;
};

const limits = { maxRecords: telemetryBatchRecordsMax, maxBytes: telemetryBatchBytesMax, maxWaitMs: logWaitMs };

/** Resolves when `signal` aborts. */
export async function followTopic(deps: FollowedTopic, partition: number, signal: AbortSignal): Promise<void> {
  const { context, eventLog } = deps;
  const topic = physicalTopic(deps.region, deps.name);
  let next: number | null = null;
  const step = async (): Promise<void> => {
    const from: number = next ?? (await eventLog.offsetAt(topic, partition, context.clock.nowMs() - deps.backfillMs));
    next = from;
    const records = await eventLog.read(topic, partition, from, limits, signal);
    for (const record of records) {
      applyOne(record.value);
      next = record.offset + 1;
    }
  };
  const applyOne = (value: Uint8Array): void => {
    try {
      deps.apply(value);
    } catch (error) {
      // Whoever decides by the same record accounts for it; here it only leaves a map as it was.
      context.logger.warn({ error, topic, partition }, "dropped a record that does not decode");
    }
  };
  const onFailure = (error: unknown, attempt: number): void => {
    // Trimmed away while we were behind: whatever is there now is newer.
    if (error instanceof OffsetBelowStart) next = null;
    if (attempt === 1) context.logger.warn({ error, topic, partition }, "cannot follow a topic; trying again");
  };
  await retryForever(step, { random: context.random, signal, onFailure });
}
