/** Bounds of the Kafka adapter. One send is one batch and is never split, so both of its sizes are bounded here. */
export const kafkaLimits = {
  recordsPerAppendMax: 10_000,
  /** Below the broker's default `message.max.bytes` of 1 MiB, which counts the batch's own overhead too. */
  bytesPerAppendMax: 900_000,
  /** How long an append may take before its outcome is given up as unknown. */
  appendTimeoutMs: 5_000,
  requestTimeoutMs: 4_000,
  connectTimeoutMs: 2_000,
  /** An idempotent producer's own retries are endless by default. */
  retries: 2,
  retryDelayMs: 100,
  fetchWaitMaxMs: 500,
  idleReadersPerPartition: 2,
  /** A producer's sequence is an int32 for each partition: a fresh one long before that. */
  recordsPerProducer: 2 ** 30,
} as const;

if (kafkaLimits.requestTimeoutMs >= kafkaLimits.appendTimeoutMs) throw new Error("A request must time out before the append that waits for it");
if (kafkaLimits.recordsPerProducer + kafkaLimits.recordsPerAppendMax >= 2 ** 31) throw new Error("A producer must be retired before its sequence wraps");
