/** Bounds of the Kafka adapter; those of an append are every adapter's, in `limits.ts`. */
import { appendLimits } from "./limits.ts";

export const kafkaLimits = {
  /** `max.message.bytes` of topics made here: one send is one batch and is never split, and each record adds its overhead. */
  batchBytesMax: 2_097_152,
  /** How long an append may take before its outcome is given up as unknown. */
  appendTimeoutMs: 5_000,
  requestTimeoutMs: 4_000,
  connectTimeoutMs: 2_000,
  /** An idempotent producer's own retries are endless by default. */
  retries: 2,
  retryDelayMs: 100,
  /** How long a broker may answer that it does not lead or coordinate yet, although it was named. */
  electionMs: 3_000,
  /** How long a topic just made may take to have leaders everywhere: a busy broker took more than ten seconds. */
  topicKnownMs: 30_000,
  fetchWaitMaxMs: 500,
  idleReadersPerPartition: 2,
  /** A producer's sequence is an int32 for each partition: a fresh one long before that. */
  recordsPerProducer: 2 ** 30,
} as const;

if (kafkaLimits.requestTimeoutMs >= kafkaLimits.appendTimeoutMs) throw new Error("A request must time out before the append that waits for it");
if (kafkaLimits.recordsPerProducer + appendLimits.batchRecordsMax >= 2 ** 31) throw new Error("A producer must be retired before its sequence wraps");
// A record's own overhead in a batch is below 64 bytes beyond its key, value and headers.
if (appendLimits.batchBytesMax + 64 * appendLimits.batchRecordsMax > kafkaLimits.batchBytesMax)
  throw new Error("The largest append must fit into one batch of the broker");
