/**
 * Appends to a Kafka broker: one awaited send at a time for each partition, as an idempotent producer.
 *
 * Every append has a deadline of its own; what fails throws its producer away with its connections, so that a send that
 * hangs cannot land behind a later one. The client finds leaders and connects; the batch and its request are ours.
 */
import { createAPI, ProduceAcks, Producer, type Reader, ResponseError, Writer } from "@platformatic/kafka";
import type { Clock } from "@ridegrid/domain";
import { apiErrors, askAgain, askLeader, type BrokerAccess, clientOptions, type Place } from "./client.kafka.ts";
import type { LogRecord } from "./event-log.ts";
import { kafkaLimits } from "./limits.kafka.ts";
import { type Compression, encodeRecordBatch } from "./record-batch.kafka.ts";
import { assertAppendFits } from "./record-codec.ts";
import { withDeadline } from "./waiting.ts";

export type ProducerOptions = BrokerAccess & { readonly compression: Compression; readonly clock: Clock };

export interface ProducerSlot {
  append(place: Place, records: readonly LogRecord[]): Promise<void>;
  close(): Promise<void>;
}

/** One producer id, and how far each partition's sequence has come under it. */
type Session = {
  readonly client: Producer;
  readonly identity: Promise<{ readonly producerId: bigint; readonly producerEpoch: number }>;
  readonly sequences: Map<string, number>;
  appended: number;
};

export function createProducerSlot(options: ProducerOptions): ProducerSlot {
  let current: Session | null = null;
  const tails = new Map<string, Promise<void>>();

  async function send(place: Place, records: readonly LogRecord[]): Promise<void> {
    const session = (current ??= openSession(options));
    const where = `${place.topic}/${place.partition}`;
    try {
      await withDeadline(`append to ${where}`, kafkaLimits.appendTimeoutMs, sendBatch(session, place, records, options));
      session.appended += records.length;
      if (session.appended >= kafkaLimits.recordsPerProducer) retire(session);
    } catch (cause) {
      retire(session);
      throw new Error(
        `Cannot append ${records.length} records to ${where}: ${[...apiErrors(cause)].join(", ") || String(cause)}; they may or may not be stored`,
        { cause },
      );
    }
  }

  /** The next send gets a fresh one; what still hangs on this one fails with its connections. */
  function retire(session: Session): void {
    if (current === session) current = null;
    session.client.close(true).catch(() => {});
  }

  return {
    async append(place, records) {
      if (records.length === 0) return;
      assertAppendFits(place.topic, place.partition, records);
      const key = `${place.topic}/${place.partition}`;
      const sent = (tails.get(key) ?? Promise.resolve()).then(() => send(place, records));
      const settled = sent.catch(() => {});
      tails.set(key, settled);
      try {
        await sent;
      } finally {
        if (tails.get(key) === settled) tails.delete(key);
      }
    },
    async close() {
      await Promise.allSettled(tails.values());
      await current?.client.close(true);
    },
  };
}

function openSession(options: BrokerAccess): Session {
  const client = new Producer(clientOptions(options));
  // The client tries again by itself, but hardly waits for a broker that has just started.
  const identity = askAgain(() => client.initIdempotentProducer({ producerId: -1n, producerEpoch: -1 }), 0);
  identity.catch(() => {});
  return { client, identity, sequences: new Map(), appended: 0 };
}

/** Repeated with the same sequence, by which the broker knows a batch that it stored without our learning of it. */
async function sendBatch(session: Session, place: Place, records: readonly LogRecord[], { clock, compression }: ProducerOptions): Promise<void> {
  const identity = await session.identity;
  const key = `${place.topic}/${place.partition}`;
  const firstSequence = session.sequences.get(key) ?? 0;
  session.sequences.set(key, firstSequence + records.length);
  const batch = encodeRecordBatch(records, { ...identity, firstSequence, timestampMs: clock.nowMs(), compression });
  await askLeader(session.client, place, (leader) => produce(leader, place, batch));
}

const produceKey = 0;
/** The newest that both Apache Kafka and Redpanda answer. */
const produceVersion = 7;
const produceApi = createAPI<[Place, Buffer], void>(produceKey, produceVersion, produceRequest, readProduceResponse, false, false);
const produce = produceApi.async;

/** Produce Request (Version: 7), https://kafka.apache.org/protocol#The_Messages_Produce: one topic, one partition, one batch. */
function produceRequest({ topic, partition }: Place, batch: Buffer): Writer {
  return Writer.create()
    .appendString(null, false)
    .appendInt16(ProduceAcks.ALL)
    .appendInt32(kafkaLimits.requestTimeoutMs)
    .appendInt32(1)
    .appendString(topic, false)
    .appendInt32(1)
    .appendInt32(partition)
    .appendInt32(batch.length)
    .append(batch);
}

function readProduceResponse(_correlationId: number, apiKey: number, apiVersion: number, reader: Reader): void {
  reader.skip(4);
  reader.readString(false);
  reader.skip(8);
  const errorCode = reader.readInt16();
  if (errorCode !== 0) throw new ResponseError(apiKey, apiVersion, { "/responses/0/partition_responses/0": [errorCode, null] }, undefined);
}
