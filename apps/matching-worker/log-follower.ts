/**
 * Reads one topic's partition from an offset on, for as long as its signal lets it: each record is handed over once,
 * in order. A log that is away is asked again with growing pauses; an offset it no longer has ends the following.
 */
import { type EventLog, OffsetAboveEnd, OffsetBelowStart, type StoredRecord } from "@ridegrid/eventlog";
import type { ProcessContext } from "@ridegrid/runtime";
import { readMaxBytes, readMaxRecords, readWaitMs, retryDelayMaxMs, retryDelayMinMs } from "./limits.ts";
import { pause } from "./pause.ts";

export interface LogFollower {
  readonly topic: string;
  readonly partition: number;
  readonly nextOffset: number;
  /** When the log last answered a read; null before it first does. */
  readonly answeredAtMs: number | null;
  /** Whether the last answer reached the partition's end. */
  readonly atEnd: boolean;
  /** Why the log does not answer; empty while it does. */
  readonly failure: string;
  /** Resolves when the signal aborts or the offset is out of the log's bounds. Never rejects. */
  run(signal: AbortSignal): Promise<"stopped" | "out_of_bounds">;
}

export type LogFollowerDeps = {
  readonly context: Pick<ProcessContext, "clock" | "random" | "logger">;
  readonly eventLog: EventLog;
  readonly topic: string;
  readonly partition: number;
  readonly fromOffset: number;
  readonly onRecord: (record: StoredRecord) => void;
  /** Around each batch's records: the place for spans and durations. */
  readonly around?: (records: readonly StoredRecord[], work: () => void) => void;
};

export function createLogFollower(deps: LogFollowerDeps): LogFollower {
  const { context, eventLog, topic, partition, fromOffset, onRecord, around = (_, work) => work() } = deps;
  const limits = { maxRecords: readMaxRecords, maxBytes: readMaxBytes };
  const state = { nextOffset: fromOffset, answeredAtMs: null as number | null, atEnd: false, failure: "" };

  async function readOnce(signal: AbortSignal): Promise<void> {
    // The first answer says that the log is there: matching waits for it, so it must not wait for a record.
    const maxWaitMs = state.answeredAtMs === null ? 0 : readWaitMs;
    const records = await eventLog.read(topic, partition, state.nextOffset, { ...limits, maxWaitMs }, signal);
    state.answeredAtMs = context.clock.nowMs();
    state.failure = "";
    if (records.length > 0) around(records, () => handOver(records, signal));
    if (!signal.aborted) state.atEnd = records.length === 0 || records.length < limits.maxRecords;
  }

  function handOver(records: readonly StoredRecord[], signal: AbortSignal): void {
    for (const record of records) {
      // What the signal ended must not be changed any more.
      if (signal.aborted) return;
      onRecord(record);
      state.nextOffset = record.offset + 1;
    }
  }

  return {
    topic,
    partition,
    get nextOffset() {
      return state.nextOffset;
    },
    get answeredAtMs() {
      return state.answeredAtMs;
    },
    get atEnd() {
      return state.atEnd;
    },
    get failure() {
      return state.failure;
    },
    async run(signal) {
      for (let failures = 0; !signal.aborted;) {
        try {
          await readOnce(signal);
          failures = 0;
        } catch (error) {
          if (signal.aborted) return "stopped";
          if (error instanceof OffsetBelowStart || error instanceof OffsetAboveEnd) return "out_of_bounds";
          if (failures === 0) context.logger.warn({ error, topic, partition }, "the event log does not answer; trying again");
          state.failure = error instanceof Error ? error.message : String(error);
          state.atEnd = false;
          await pause(Math.min(retryDelayMaxMs, retryDelayMinMs * 2 ** failures++) * (0.5 + context.random.next() / 2), signal);
        }
      }
      return "stopped";
    },
  };
}
