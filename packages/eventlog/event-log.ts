/**
 * The log port: partitioned, append-only records, read by explicit offset.
 *
 * What every adapter promises, and `eventLogConformance` checks:
 * - `append` returns only when the records are durable. When it throws, they may or may not be stored: the caller
 *   appends again, and readers may see them twice.
 * - Records of one awaited `append` follow those of the append awaited before it, in the same partition.
 * - Offsets of a partition increase; `read` returns them in that order and skips nothing that was acknowledged.
 *   Gaps between offsets are allowed.
 * - Reading below the start is an `OffsetBelowStart` error, never a silent skip; above the end, which no log that is
 *   still the same log can be asked for, an `OffsetAboveEnd`. Reading at the end waits.
 * - It knows nothing of groups, commits or transactions: checkpoints live with the effect.
 *
 * Topics are physical names (`ewr.ride-events.v1`): one log may hold several regions.
 */
export type LogRecord = {
  readonly key: string;
  readonly value: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
};

export type StoredRecord = LogRecord & {
  readonly offset: number;
  /** When it was appended, milliseconds since the Unix epoch by the log's clock. */
  readonly appendedAtMs: number;
};

export type ReadLimits = {
  readonly maxRecords: number;
  readonly maxBytes: number;
  /** How long to wait at the end of the partition before an empty answer. */
  readonly maxWaitMs: number;
};

/** `end` is one past the last record: the offset the next record gets or is below. */
export type PartitionBounds = { readonly start: number; readonly end: number };

export type TopicConfig = { readonly topic: string; readonly partitions: number; readonly retentionMs: number };

export interface EventLog {
  /**
   * Makes the topics that are missing. @throws PartitionCountMismatch where one exists with another partition count, before
   * anything is made; LogRefused where this process is not let in. Any other error may pass.
   */
  ensureTopics(topics: readonly TopicConfig[]): Promise<void>;
  /** @throws RecordTooLarge before anything is stored; any other error leaves the outcome unknown. */
  append(topic: string, partition: number, records: readonly LogRecord[]): Promise<void>;
  /** At least one record when there is one, even above `maxBytes`; empty after `maxWaitMs`. Rejects when `signal` aborts. */
  read(topic: string, partition: number, fromOffset: number, limits: ReadLimits, signal: AbortSignal): Promise<readonly StoredRecord[]>;
  bounds(topic: string, partition: number): Promise<PartitionBounds>;
  /** The offset of the first record appended at or after `timeMs`; the end when there is none. */
  offsetAt(topic: string, partition: number, timeMs: number): Promise<number>;
  close(): Promise<void>;
}

export class OffsetBelowStart extends Error {
  override readonly name = "OffsetBelowStart";
  constructor(
    readonly topic: string,
    readonly partition: number,
    readonly fromOffset: number,
    readonly start: number,
  ) {
    super(`Cannot read ${topic}/${partition} from offset ${fromOffset}: it starts at ${start}`);
  }
}

/** The offset comes from another log: this one was restored, or made anew. */
export class OffsetAboveEnd extends Error {
  override readonly name = "OffsetAboveEnd";
  constructor(
    readonly topic: string,
    readonly partition: number,
    readonly fromOffset: number,
    readonly end: number,
  ) {
    super(`Cannot read ${topic}/${partition} from offset ${fromOffset}: it ends at ${end}`);
  }
}

export class RecordTooLarge extends Error {
  override readonly name = "RecordTooLarge";
}

/** The log answers and does not let this process in: a name, a password, a certificate or a right is wrong. */
export class LogRefused extends Error {
  override readonly name = "LogRefused";
}

export class PartitionCountMismatch extends Error {
  override readonly name = "PartitionCountMismatch";
}
