/**
 * The log on any Kafka-API broker (Redpanda in production): no consumer groups, no transactions, no commits. Its topics
 * are made and checked here; appends are `producer.kafka.ts`'s, reads `reader.kafka.ts`'s.
 */
import { Admin } from "@platformatic/kafka";
import type { Clock } from "@ridegrid/domain";
import { setTimeout as delay } from "node:timers/promises";
import { apiErrors, type BrokerAccess, clientOptions } from "./client.kafka.ts";
import { type EventLog, LogRefused, PartitionCountMismatch, type TopicConfig } from "./event-log.ts";
import { kafkaLimits } from "./limits.kafka.ts";
import { createProducerSlot } from "./producer.kafka.ts";
import { createReaders } from "./reader.kafka.ts";
import type { Compression } from "./record-batch.kafka.ts";

export type KafkaEventLogOptions = BrokerAccess & {
  /** Replicas of topics that `ensureTopics` makes: 3 in production, 1 on one broker. */
  readonly replicas: number;
  readonly compression: Compression;
  readonly clock: Clock;
};

export function createKafkaEventLog(options: KafkaEventLogOptions): EventLog {
  const admin = new Admin(clientOptions(options));
  const producers = createProducerSlot(options);
  const readers = createReaders(options);
  return {
    ensureTopics: (topics) => ensureTopics(admin, topics, options.replicas).catch(toldPlainly),
    append: (topic, partition, records) => producers.append({ topic, partition }, records),
    read: (topic, partition, fromOffset, limits, signal) => readers.read({ topic, partition }, fromOffset, limits, signal),
    bounds: (topic, partition) => readers.bounds({ topic, partition }),
    offsetAt: (topic, partition, timeMs) => readers.offsetAt({ topic, partition }, timeMs),
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
