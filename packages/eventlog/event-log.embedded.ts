/**
 * The log in Postgres: durable, for several processes, one database a region. Beyond the port it promises contiguous
 * offsets in commit order and times that never go back.
 *
 * Times are the database's; `clock` only says what is old enough to delete. The pool belongs to the caller.
 */
import type { Clock } from "@ridegrid/domain";
import type { Pool } from "./dependencies.ts";
import {
  type EventLog,
  type LogRecord,
  OffsetAboveEnd,
  OffsetBelowStart,
  PartitionCountMismatch,
  type PartitionBounds,
  type ReadLimits,
  type StoredRecord,
  type TopicConfig,
} from "./event-log.ts";
import { ensureLogSchema } from "./event-log.embedded-schema.ts";
import { embeddedLogLimits } from "./limits.ts";
import { createLogEndWatch, type PartitionEnd } from "./log-end-watch.ts";
import { trimBefore, trimExpired } from "./log-retention.ts";
import { assertAppendFits, decodeRecords, encodeRecords } from "./record-codec.ts";
import { withDeadline } from "./waiting.ts";

type BatchRow = {
  readonly start: number;
  readonly end: number;
  readonly base: number | null;
  readonly count: number;
  readonly time: number;
  readonly records: Uint8Array;
};

export interface EmbeddedEventLog extends EventLog {
  /** Moves the start up to `offset` and deletes what lies wholly below it. */
  trim(topic: string, partition: number, offset: number): Promise<void>;
  /** Deletes what is older than its topic's retention; also done by itself every half minute. */
  trimExpired(): Promise<void>;
}

export function createEmbeddedEventLog(deps: { readonly sql: Pool; readonly clock: Clock }): EmbeddedEventLog {
  const { sql, clock } = deps;
  const ends = createLogEndWatch((partitions) => ask("look for new records", lookUpEnds(sql, partitions)));
  // The ends that reads have come to: who goes on from one waits first, or every read would be followed by an empty one.
  const reached = new Map<string, number>();
  // A database that is away now is swept the next time.
  const retention = setInterval(() => void trimExpired(sql, clock.nowMs()).catch(() => {}), embeddedLogLimits.retentionEveryMs);
  retention.unref();

  async function append(topic: string, partition: number, records: readonly LogRecord[]): Promise<void> {
    if (records.length === 0) return;
    assertAppendFits(topic, partition, records);
    const end = await ask(`append to ${topic}/${partition}`, appendBatch(sql, topic, partition, records));
    ends.advance({ topic, partition, end });
  }

  async function read(topic: string, partition: number, fromOffset: number, limits: ReadLimits, signal: AbortSignal): Promise<readonly StoredRecord[]> {
    const action = `read ${topic}/${partition}`;
    const key = `${topic}/${partition}`;
    const deadline = performance.now() + limits.maxWaitMs;
    for (;;) {
      signal.throwIfAborted();
      const waitMs = deadline - performance.now();
      if (reached.get(key) === fromOffset && waitMs > 0) await ends.waitAbove({ topic, partition, end: fromOffset }, waitMs, signal);
      const { records, next, end } = await ask(action, readBatches(sql, { topic, partition, fromOffset, limits }));
      signal.throwIfAborted();
      if (next === end) reached.set(key, end);
      if (records.length > 0 || performance.now() >= deadline) return records;
    }
  }

  return {
    append,
    read,
    ensureTopics: (topics) => ensureTopics(sql, topics),
    bounds: (topic, partition) => ask(`find the bounds of ${topic}/${partition}`, readBounds(sql, topic, partition)),
    offsetAt: (topic, partition, timeMs) => ask(`find an offset of ${topic}/${partition}`, findOffset(sql, { topic, partition, timeMs })),
    trim: (topic, partition, offset) => trimBefore(sql, { topic, partition, offset }),
    trimExpired: () => trimExpired(sql, clock.nowMs()),
    async close() {
      clearInterval(retention);
      ends.close(new Error("Cannot read: the log was closed"));
    },
  };
}

function ask<T>(action: string, work: Promise<T>): Promise<T> {
  return withDeadline(action, embeddedLogLimits.statementMs, work);
}

async function ensureTopics(sql: Pool, topics: readonly TopicConfig[]): Promise<void> {
  await ensureLogSchema(sql);
  for (const topic of topics) {
    const [row] = await sql<{ partitions: number }[]>`
      INSERT INTO log_topic (topic, partitions, retention_ms) VALUES (${topic.topic}, ${topic.partitions}, ${topic.retentionMs})
      ON CONFLICT (topic) DO UPDATE SET retention_ms = excluded.retention_ms
      RETURNING partitions`;
    if (row?.partitions !== topic.partitions) {
      throw new PartitionCountMismatch(`Cannot use topic "${topic.topic}" with ${topic.partitions} partitions: it has ${row?.partitions}`);
    }
    await sql`
      INSERT INTO log_partition (topic, partition) SELECT ${topic.topic}::text, generate_series(0, ${topic.partitions - 1}::integer)
      ON CONFLICT DO NOTHING`;
  }
}

/** One statement: the counter's row lock is held until commit, so the next append of the partition sees this one's end. */
async function appendBatch(sql: Pool, topic: string, partition: number, records: readonly LogRecord[]): Promise<number> {
  const bytes = encodeRecords(records);
  const [row] = await sql<{ end: number }[]>`
    WITH counter AS (
      UPDATE log_partition
      SET end_offset = end_offset + ${records.length}::bigint, last_append_time = greatest(last_append_time, clock_timestamp())
      WHERE topic = ${topic} AND partition = ${partition}
      RETURNING end_offset, last_append_time
    ), stored AS (
      INSERT INTO log_batch (topic, partition, base_offset, record_count, append_time, byte_count, records)
      SELECT ${topic}::text, ${partition}::integer, end_offset - ${records.length}::bigint, ${records.length}::integer, last_append_time,
        ${bytes.byteLength}::integer, ${bytes}::bytea
      FROM counter
    )
    SELECT end_offset::float8 AS "end" FROM counter`;
  if (!row) throw unknownPartition("append to", topic, partition);
  return row.end;
}

/** `next` is where to go on: below `end` when the limits cut the records off. */
type ReadAnswer = { readonly records: readonly StoredRecord[]; readonly next: number; readonly end: number };
type ReadRequest = { readonly topic: string; readonly partition: number; readonly fromOffset: number; readonly limits: ReadLimits };

async function readBatches(sql: Pool, { topic, partition, fromOffset, limits }: ReadRequest): Promise<ReadAnswer> {
  // The first batch is the one that holds `fromOffset`; one snapshot serves the bounds and the rows.
  const rows = await sql<BatchRow[]>`
    SELECT p.start_offset::float8 AS start, p.end_offset::float8 AS "end", b.base_offset::float8 AS base, b.record_count AS count,
      floor(extract(epoch FROM b.append_time) * 1000)::float8 AS time, b.records
    FROM log_partition p LEFT JOIN LATERAL (
      SELECT * FROM (
        SELECT base_offset, record_count, append_time, records, sum(byte_count) OVER (ORDER BY base_offset) - byte_count AS bytes_before
        FROM log_batch
        WHERE topic = p.topic AND partition = p.partition AND base_offset + record_count > ${fromOffset}::bigint AND base_offset >= coalesce(
          (SELECT max(base_offset) FROM log_batch WHERE topic = p.topic AND partition = p.partition AND base_offset <= ${fromOffset}::bigint), 0)
        ORDER BY base_offset LIMIT ${Math.min(embeddedLogLimits.readBatchesMax, limits.maxRecords)}::integer
      ) batch WHERE bytes_before < ${limits.maxBytes}::bigint OR bytes_before = 0
    ) b ON true
    WHERE p.topic = ${topic} AND p.partition = ${partition} ORDER BY b.base_offset`;
  const bounds = rows[0];
  if (!bounds) throw unknownPartition("read", topic, partition);
  if (fromOffset < bounds.start) throw new OffsetBelowStart(topic, partition, fromOffset, bounds.start);
  if (fromOffset > bounds.end) throw new OffsetAboveEnd(topic, partition, fromOffset, bounds.end);
  const records: StoredRecord[] = [];
  for (const row of rows) {
    if (row.base === null || records.length >= limits.maxRecords) break;
    for (const record of decodeRecords(row.records, { baseOffset: row.base, count: row.count, appendedAtMs: row.time })) {
      if (record.offset >= fromOffset) records.push(record);
    }
  }
  const answered = cutToLimits(records, limits);
  return { records: answered, next: (answered.at(-1)?.offset ?? fromOffset - 1) + 1, end: bounds.end };
}

/** Batches are read whole: what exceeds the caller's limits is cut off here, but never the first record. */
function cutToLimits(records: readonly StoredRecord[], limits: ReadLimits): readonly StoredRecord[] {
  let bytes = 0;
  let count = 0;
  for (const record of records) {
    bytes += record.value.byteLength;
    if (count > 0 && (count >= limits.maxRecords || bytes > limits.maxBytes)) break;
    count++;
  }
  return records.slice(0, count);
}

async function readBounds(sql: Pool, topic: string, partition: number): Promise<PartitionBounds> {
  const [row] = await sql<PartitionBounds[]>`
    SELECT start_offset::float8 AS start, end_offset::float8 AS "end" FROM log_partition WHERE topic = ${topic} AND partition = ${partition}`;
  if (!row) throw unknownPartition("find the bounds of", topic, partition);
  return { start: row.start, end: row.end };
}

async function findOffset(sql: Pool, at: { readonly topic: string; readonly partition: number; readonly timeMs: number }): Promise<number> {
  const [row] = await sql<{ offset: number }[]>`
    SELECT greatest(start_offset, coalesce((
      SELECT base_offset FROM log_batch b
      WHERE b.topic = p.topic AND b.partition = p.partition AND b.append_time >= to_timestamp(${at.timeMs}::float8 / 1000)
      ORDER BY b.append_time, b.base_offset LIMIT 1), end_offset))::float8 AS "offset"
    FROM log_partition p WHERE topic = ${at.topic} AND partition = ${at.partition}`;
  if (!row) throw unknownPartition("find an offset of", at.topic, at.partition);
  return row.offset;
}

async function lookUpEnds(sql: Pool, partitions: readonly PartitionEnd[]): Promise<readonly PartitionEnd[]> {
  const wanted = JSON.stringify(partitions.map(({ topic, partition }) => ({ topic, partition })));
  return await sql<PartitionEnd[]>`
    SELECT topic, partition, end_offset::float8 AS "end"
    FROM log_partition JOIN jsonb_to_recordset(${wanted}::text::jsonb) AS wanted(topic text, partition integer) USING (topic, partition)`;
}

function unknownPartition(action: string, topic: string, partition: number): Error {
  return new Error(`Cannot ${action} ${topic}/${partition}: there is no such partition`);
}
