/**
 * The log on any Kafka-API broker (Redpanda in production), by low-level fetch with explicit offsets: no consumer
 * groups, no transactions, no commits. Appends are `producer.kafka.ts`'s.
 */
import { Admin, Consumer, ListOffsetTimestamps } from "@platformatic/kafka";
import type { Clock } from "@ridegrid/domain";
import { setTimeout as delay } from "node:timers/promises";
import { apiErrors, type BrokerAccess, clientOptions, type Place, withDeadline } from "./client.kafka.ts";
import {
  type EventLog,
  LogRefused,
  OffsetAboveEnd,
  OffsetBelowStart,
  type PartitionBounds,
  PartitionCountMismatch,
  type ReadLimits,
  type StoredRecord,
  type TopicConfig,
} from "./event-log.ts";
import { kafkaLimits } from "./limits.kafka.ts";
import { createProducerSlot } from "./producer.kafka.ts";
import type { Compression } from "./record-batch.kafka.ts";

export type KafkaEventLogOptions = BrokerAccess & {
  /** Replicas of topics that `ensureTopics` makes: 3 in production, 1 on one broker. */
  readonly replicas: number;
  readonly compression: Compression;
  readonly clock: Clock;
};

type RawConsumer = Consumer<Buffer, Buffer, Buffer, Buffer>;

export function createKafkaEventLog(options: KafkaEventLogOptions): EventLog {
  const admin = new Admin(clientOptions(options));
  const producers = createProducerSlot(options);
  const readers = createReaderPool(options);
  return {
    ensureTopics: (topics) => ensureTopics(admin, topics, options.replicas).catch(toldPlainly),
    append: (topic, partition, records) => producers.append({ topic, partition }, records),
    read: (topic, partition, fromOffset, limits, signal) => read(readers, { topic, partition }, fromOffset, limits, signal),
    bounds: (topic, partition) => readers.use({ topic, partition }, (consumer) => bounds(consumer, { topic, partition })),
    offsetAt: (topic, partition, timeMs) => readers.use({ topic, partition }, (consumer) => offsetAt(consumer, { topic, partition }, timeMs)),
    async close() {
      await Promise.allSettled([admin.close(), producers.close(), readers.close()]);
    },
  };
}

async function ensureTopics(admin: Admin, topics: readonly TopicConfig[], replicas: number): Promise<void> {
  const existing = new Set(await admin.listTopics());
  // Before anything is made: a contract that is broken in one topic is broken.
  await untilKnown(
    admin,
    topics.filter(({ topic }) => existing.has(topic)),
  );
  for (const { topic, partitions, retentionMs } of topics) {
    if (existing.has(topic)) continue;
    const configs = [
      { name: "retention.ms", value: String(retentionMs) },
      { name: "message.timestamp.type", value: "LogAppendTime" },
      { name: "max.message.bytes", value: String(kafkaLimits.batchBytesMax) },
    ];
    await admin.createTopics({ topics: [topic], partitions, replicas, configs }).catch((error: unknown) => {
      if (!apiErrors(error).has("TOPIC_ALREADY_EXISTS")) throw error;
    });
  }
  await untilKnown(admin, topics);
}

/** What the client buries in aggregates of aggregates, in its own last words. */
function toldPlainly(error: unknown): never {
  if (error instanceof PartitionCountMismatch) throw error;
  const [refusal] = [...apiErrors(error)].filter((name) => refusals.test(name));
  const words = lastWords(error);
  if (refusal !== undefined) throw new LogRefused(words.includes(refusal) ? words : `${refusal}: ${words}`, { cause: error });
  throw new Error(words, { cause: error });
}

/** Not let in: by SASL, by rights, or because the broker's certificate is not to be believed. */
const refusals = /^(SASL_AUTHENTICATION_FAILED|UNSUPPORTED_SASL_MECHANISM|ILLEGAL_SASL_STATE|\w+_AUTHORIZATION_FAILED|\w*CERT\w*|UNABLE_TO_VERIFY\w+)$/;

function lastWords(error: unknown): string {
  let deepest = error;
  for (let depth = 0; depth < 16 && deepest instanceof Error; depth++) {
    const inner: unknown = "errors" in deepest && Array.isArray(deepest.errors) ? (deepest.errors.at(-1) ?? deepest.cause) : deepest.cause;
    if (inner === undefined) break;
    deepest = inner;
  }
  return (deepest instanceof Error ? deepest.message : String(deepest)).replaceAll("\n", " ");
}

/** A new topic is known to the controller first and to the brokers a moment later. */
async function untilKnown(admin: Admin, topics: readonly TopicConfig[]): Promise<void> {
  const deadline = performance.now() + kafkaLimits.topicKnownMs;
  for (;;) {
    const metadata = await admin.metadata({ topics: topics.map(({ topic }) => topic), forceUpdate: true }).catch((error: unknown) => {
      // The client says "unknown topic" in several ways, some without the broker's error.
      if (performance.now() > deadline) throw error;
      return undefined;
    });
    const unknown = topics.filter(({ topic }) => !metadata?.topics.get(topic)?.partitions.every(({ leader }) => leader >= 0));
    for (const { topic, partitions } of topics) {
      const found = metadata?.topics.get(topic)?.partitionsCount;
      if (found !== undefined && found !== partitions)
        throw new PartitionCountMismatch(`Topic "${topic}" has ${found} partitions, the catalogue says ${partitions}`);
    }
    if (unknown.length === 0) return;
    if (performance.now() > deadline) throw new Error(`Topic "${unknown[0]?.topic}" has no leader after ${kafkaLimits.topicKnownMs} ms`);
    await delay(kafkaLimits.retryDelayMs);
  }
}

interface ReaderPool {
  /** Runs with a consumer that nobody else uses meanwhile: fetches of one consumer share a session and must not overlap. */
  use<T>(place: Place, work: (consumer: RawConsumer) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

function createReaderPool(options: KafkaEventLogOptions): ReaderPool {
  const idle = new Map<string, RawConsumer[]>();
  const all = new Set<RawConsumer>();
  const drop = (consumer: RawConsumer): void => {
    all.delete(consumer);
    consumer.close(true).catch(() => {});
  };
  return {
    async use({ topic, partition }, work) {
      const key = `${topic}/${partition}`;
      const consumer = idle.get(key)?.pop() ?? createConsumer(options);
      all.add(consumer);
      try {
        const result = await work(consumer);
        const waiting = idle.get(key) ?? [];
        idle.set(key, waiting);
        if (waiting.length < kafkaLimits.idleReadersPerPartition) waiting.push(consumer);
        else drop(consumer);
        return result;
      } catch (error) {
        // Whatever failed may have left the fetch session half way: a fresh consumer costs a few milliseconds.
        drop(consumer);
        throw error;
      }
    },
    async close() {
      await Promise.allSettled([...all].map((consumer) => consumer.close(true)));
    },
  };
}

function createConsumer(options: KafkaEventLogOptions): RawConsumer {
  return new Consumer({ ...clientOptions(options), groupId: `${options.clientId}-unused`, autocommit: false });
}

function read(readers: ReaderPool, place: Place, fromOffset: number, limits: ReadLimits, signal: AbortSignal): Promise<readonly StoredRecord[]> {
  if (signal.aborted) return Promise.reject(signal.reason);
  const fetching = readers.use(place, (consumer) => fetchUntil(consumer, place, fromOffset, limits, signal));
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    fetching.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

async function fetchUntil(consumer: RawConsumer, place: Place, fromOffset: number, limits: ReadLimits, signal: AbortSignal): Promise<readonly StoredRecord[]> {
  const deadline = performance.now() + limits.maxWaitMs;
  for (;;) {
    const waitMs = Math.min(Math.max(0, Math.round(deadline - performance.now())), kafkaLimits.fetchWaitMaxMs);
    const records = await fetchOnce(consumer, place, fromOffset, { ...limits, maxWaitMs: waitMs });
    if (records.length > 0 || signal.aborted || performance.now() >= deadline) return records;
  }
}

async function fetchOnce(consumer: RawConsumer, { topic, partition }: Place, fromOffset: number, limits: ReadLimits): Promise<readonly StoredRecord[]> {
  const { id, leader } = await locate(consumer, { topic, partition });
  const wanted = { partition, currentLeaderEpoch: -1, fetchOffset: BigInt(fromOffset), lastFetchedEpoch: -1, partitionMaxBytes: limits.maxBytes };
  const request = {
    node: leader,
    maxWaitTime: limits.maxWaitMs,
    minBytes: 1,
    maxBytes: limits.maxBytes,
    isolationLevel: 0,
    topics: [{ topicId: id, partitions: [wanted] }],
  };
  const fetched = consumer.fetch(request).catch(async (error: unknown) => {
    if (apiErrors(error).has("OFFSET_OUT_OF_RANGE")) {
      const { start, end } = await bounds(consumer, { topic, partition });
      if (fromOffset < start) throw new OffsetBelowStart(topic, partition, fromOffset, start);
      throw new OffsetAboveEnd(topic, partition, fromOffset, end);
    }
    throw new Error(`Cannot read ${topic}/${partition} from offset ${fromOffset}: ${[...apiErrors(error)].join(", ") || String(error)}`, { cause: error });
  });
  return storedRecords(await withDeadline(fetched, limits.maxWaitMs + kafkaLimits.requestTimeoutMs, `read of ${topic}/${partition}`), fromOffset, limits);
}

/** The leader and topic id; refreshed after a failure because the pool then hands out a fresh consumer. */
async function locate(consumer: RawConsumer, { topic, partition }: Place): Promise<{ readonly id: string; readonly leader: number }> {
  consumer.topics.track(topic);
  const metadata = await consumer.metadata({ topics: [topic] });
  const found = metadata.topics.get(topic);
  const leader = found?.partitions[partition]?.leader;
  if (found === undefined || leader === undefined || leader < 0) throw new Error(`Cannot read ${topic}/${partition}: it has no leader`);
  return { id: found.id, leader };
}

/** The broker returns batches whole: what lies below the asked offset or beyond the limits is dropped, and so are control batches. */
function storedRecords(response: Awaited<ReturnType<RawConsumer["fetch"]>>, fromOffset: number, limits: ReadLimits): readonly StoredRecord[] {
  const controlBatch = 0x20;
  const logAppendTime = 0x08;
  const records: StoredRecord[] = [];
  let bytes = 0;
  for (const batch of response.responses[0]?.partitions[0]?.records ?? []) {
    if ((batch.attributes & controlBatch) !== 0) continue;
    const first = Number(batch.firstOffset);
    for (const record of batch.records) {
      const offset = first + record.offsetDelta;
      if (offset < fromOffset) continue;
      bytes += record.length;
      if (records.length === limits.maxRecords || (records.length > 0 && bytes > limits.maxBytes)) return records;
      const appendedAtMs = Number((batch.attributes & logAppendTime) !== 0 ? batch.maxTimestamp : batch.firstTimestamp + record.timestampDelta);
      const headers = Object.fromEntries(record.headers.map(([name, value]) => [String(name), String(value)]));
      records.push({ offset, appendedAtMs, key: record.key === null ? "" : String(record.key), value: record.value ?? new Uint8Array(), headers });
    }
  }
  return records;
}

async function bounds(consumer: RawConsumer, place: Place): Promise<PartitionBounds> {
  const start = await listOffset(consumer, place, ListOffsetTimestamps.EARLIEST);
  const end = await listOffset(consumer, place, ListOffsetTimestamps.LATEST);
  return { start, end };
}

async function offsetAt(consumer: RawConsumer, place: Place, timeMs: number): Promise<number> {
  const offset = await listOffset(consumer, place, BigInt(Math.ceil(timeMs)));
  return offset >= 0 ? offset : listOffset(consumer, place, ListOffsetTimestamps.LATEST);
}

async function listOffset(consumer: RawConsumer, { topic, partition }: Place, timestamp: bigint): Promise<number> {
  const listed = withDeadline(
    consumer.listOffsets({ topics: [topic], partitions: { [topic]: [partition] }, timestamp }),
    kafkaLimits.appendTimeoutMs,
    `offsets of ${topic}/${partition}`,
  );
  const offset = (await listed).get(topic)?.[partition];
  if (offset === undefined) throw new Error(`The broker did not say an offset of ${topic}/${partition}`);
  return Number(offset);
}
