/**
 * Reads from a Kafka broker by explicit offset: nothing is joined or committed. The client finds leaders, connects and
 * lists offsets; the fetch and what is made of its answer are ours.
 *
 * A broker answers a connection in the order of its questions, so that a waiting read has a connection to itself.
 */
import { Consumer, createAPI, ListOffsetTimestamps, type Reader, ResponseError, Writer } from "@platformatic/kafka";
import { apiErrors, askLeader, type BrokerAccess, clientOptions, type Place } from "./client.kafka.ts";
import { OffsetAboveEnd, OffsetBelowStart, type PartitionBounds, type ReadLimits, type StoredRecord } from "./event-log.ts";
import { kafkaLimits } from "./limits.kafka.ts";
import { storedRecords } from "./stored-records.kafka.ts";
import { withDeadline } from "./waiting.ts";

export interface Readers {
  read(place: Place, fromOffset: number, limits: ReadLimits, signal: AbortSignal): Promise<readonly StoredRecord[]>;
  bounds(place: Place): Promise<PartitionBounds>;
  offsetAt(place: Place, timeMs: number): Promise<number>;
  close(): Promise<void>;
}

type RawConsumer = Consumer<Buffer, Buffer, Buffer, Buffer>;

type PartitionReader = {
  readonly consumer: RawConsumer;
  /** Batches that a fetch brought beyond what its read could answer: a reader that is behind goes on with them. */
  ahead?: { readonly fromOffset: number; readonly batches: Buffer };
};

export function createReaders(options: BrokerAccess): Readers {
  const pool = createReaderPool(options);
  return {
    read(place, fromOffset, limits, signal) {
      if (signal.aborted) return Promise.reject(signal.reason);
      const reading = pool.use(place, (reader) => readUntil(reader, place, fromOffset, limits, signal));
      return new Promise((resolve, reject) => {
        const abort = (): void => reject(signal.reason);
        signal.addEventListener("abort", abort, { once: true });
        reading.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
      });
    },
    bounds: (place) => pool.use(place, ({ consumer }) => bounds(consumer, place)),
    offsetAt: (place, timeMs) => pool.use(place, ({ consumer }) => offsetAt(consumer, place, timeMs)),
    close: () => pool.close(),
  };
}

interface ReaderPool {
  /** Runs with a reader that nobody else uses meanwhile. */
  use<T>(place: Place, work: (reader: PartitionReader) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

function createReaderPool(options: BrokerAccess): ReaderPool {
  const idle = new Map<string, PartitionReader[]>();
  const all = new Set<PartitionReader>();
  const drop = (reader: PartitionReader): void => {
    all.delete(reader);
    reader.consumer.close(true).catch(() => {});
  };
  return {
    async use({ topic, partition }, work) {
      const key = `${topic}/${partition}`;
      const reader = idle.get(key)?.pop() ?? { consumer: createConsumer(options) };
      all.add(reader);
      try {
        const result = await work(reader);
        const waiting = idle.get(key) ?? [];
        idle.set(key, waiting);
        if (waiting.length < kafkaLimits.idleReadersPerPartition) waiting.push(reader);
        else drop(reader);
        return result;
      } catch (error) {
        // What failed may still wait for its answer on the connection: a fresh one costs a few milliseconds.
        drop(reader);
        throw error;
      }
    },
    async close() {
      await Promise.allSettled([...all].map(({ consumer }) => consumer.close(true)));
    },
  };
}

function createConsumer(options: BrokerAccess): RawConsumer {
  return new Consumer({ ...clientOptions(options), groupId: `${options.clientId}-unused`, autocommit: false });
}

async function readUntil(reader: PartitionReader, place: Place, fromOffset: number, limits: ReadLimits, signal: AbortSignal): Promise<readonly StoredRecord[]> {
  const deadline = performance.now() + limits.maxWaitMs;
  for (;;) {
    const waitMs = Math.min(Math.max(0, Math.round(deadline - performance.now())), kafkaLimits.fetchWaitMaxMs);
    const records = await readOnce(reader, place, fromOffset, { ...limits, maxWaitMs: waitMs });
    if (records.length > 0 || signal.aborted || performance.now() >= deadline) return records;
  }
}

async function readOnce(reader: PartitionReader, place: Place, fromOffset: number, limits: ReadLimits): Promise<readonly StoredRecord[]> {
  const { ahead } = reader;
  delete reader.ahead;
  const batches = ahead?.fromOffset === fromOffset ? ahead.batches : await fetchBatches(reader.consumer, place, fromOffset, limits);
  const { records, rest } = storedRecords(batches, fromOffset, limits);
  const last = records.at(-1);
  if (rest.length > 0 && last !== undefined) reader.ahead = { fromOffset: last.offset + 1, batches: rest };
  return records;
}

async function fetchBatches(consumer: RawConsumer, place: Place, fromOffset: number, limits: ReadLimits): Promise<Buffer> {
  const { topic, partition } = place;
  const fetched = askLeader(consumer, place, (leader) => fetch(leader, place, fromOffset, limits)).catch(async (error: unknown) => {
    if (apiErrors(error).has("OFFSET_OUT_OF_RANGE")) {
      const { start, end } = await bounds(consumer, place);
      if (fromOffset < start) throw new OffsetBelowStart(topic, partition, fromOffset, start);
      throw new OffsetAboveEnd(topic, partition, fromOffset, end);
    }
    throw new Error(`Cannot read ${topic}/${partition} from offset ${fromOffset}: ${[...apiErrors(error)].join(", ") || String(error)}`, { cause: error });
  });
  return withDeadline(`read ${topic}/${partition}`, limits.maxWaitMs + kafkaLimits.requestTimeoutMs, fetched);
}

const fetchKey = 1;
/** The newest that names topics by name and that both Apache Kafka and Redpanda answer. */
const fetchVersion = 11;
const fetchApi = createAPI<[Place, number, ReadLimits], Buffer>(fetchKey, fetchVersion, fetchRequest, readFetchResponse, false, false);
const fetch = fetchApi.async;

/** Fetch Request (Version: 11), https://kafka.apache.org/protocol#The_Messages_Fetch: one partition, no session. */
function fetchRequest({ topic, partition }: Place, fromOffset: number, { maxWaitMs, maxBytes }: ReadLimits): Writer {
  return Writer.create()
    .appendInt32(-1) // replica
    .appendInt32(maxWaitMs)
    .appendInt32(1) // bytes at least
    .appendInt32(maxBytes)
    .appendInt8(0) // isolation: uncommitted
    .appendInt32(0) // session
    .appendInt32(-1) // session epoch: none
    .appendInt32(1)
    .appendString(topic, false)
    .appendInt32(1)
    .appendInt32(partition)
    .appendInt32(-1) // leader epoch: not known
    .appendInt64(BigInt(fromOffset))
    .appendInt64(-1n) // log start: followers'
    .appendInt32(maxBytes)
    .appendInt32(0) // forgotten topics
    .appendString("", false); // rack
}

function readFetchResponse(_correlationId: number, apiKey: number, apiVersion: number, reader: Reader): Buffer {
  const refuse = (at: string, code: number): void => {
    if (code !== 0) throw new ResponseError(apiKey, apiVersion, { [at]: [code, null] }, undefined);
  };
  reader.skip(4); // throttle time
  refuse("/", reader.readInt16());
  reader.skip(4); // session
  reader.skip(4); // one topic
  reader.readString(false);
  reader.skip(4 + 4); // one partition, its number
  refuse("/responses/0/partitions/0", reader.readInt16());
  reader.skip(8 + 8 + 8); // high watermark, last stable offset, log start
  reader.readNullableArray((inner) => inner.skip(8 + 8), false, false); // aborted transactions
  reader.skip(4); // preferred replica
  return reader.readBytes(false);
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
  const asked = consumer.listOffsets({ topics: [topic], partitions: { [topic]: [partition] }, timestamp });
  const listed = withDeadline(`list offsets of ${topic}/${partition}`, kafkaLimits.appendTimeoutMs, asked);
  const offset = (await listed).get(topic)?.[partition];
  if (offset === undefined) throw new Error(`The broker did not say an offset of ${topic}/${partition}`);
  return Number(offset);
}
