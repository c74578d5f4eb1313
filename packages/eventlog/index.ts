/**
 * The log port and its embedded adapter; outbox and relay; leases, checkpoints, dead letters and the loop that uses them.
 * The Kafka adapter is `@ridegrid/eventlog/kafka`: its client takes longer to load than all the rest.
 */
export { type CheckpointKey, type CheckpointOffset, Fenced, loadCheckpoint, saveCheckpoint } from "./checkpoint.ts";
export { type ConsumedBatch, type ConsumerDeps, type ConsumerEnd, runConsumer } from "./consumer.ts";
export { createDeadLetterStore, type DeadLetter, type DeadLetterStore, type DeadLetterSummary, PoisonRecord } from "./dead-letter.ts";
export type { HostContext, Log, Pool, Queryable, Transaction } from "./dependencies.ts";
export { createEmbeddedEventLog, type EmbeddedEventLog } from "./event-log.embedded.ts";
export {
  type EventLog,
  LogRefused,
  type LogRecord,
  OffsetAboveEnd,
  OffsetBelowStart,
  PartitionCountMismatch,
  type PartitionBounds,
  type ReadLimits,
  RecordTooLarge,
  type StoredRecord,
  type TopicConfig,
} from "./event-log.ts";
export { tracedEventLog, type TracedEventLogOptions } from "./event-log.traced.ts";
export { isTransientFault } from "./fault.ts";
export { createLeaseKeeper, type Lease, type LeaseKeeper, type LeaseKeeperDeps, type WantedLease } from "./lease.ts";
export { appendLimits, type ConsumerLimits, type LeaseLimits, type OutboxBounds, type RelayLimits } from "./limits.ts";
export { eventLogMigrations } from "./migrations-directory.ts";
export { abandonOutbox } from "./outbox-abandon.ts";
export { type OutboxBacklog, type OutboxDepth, readOutboxBacklog } from "./outbox-depth.ts";
export { appendOutbox, outboxInsert, type OutboxRow } from "./outbox.ts";
export { createProcessTelemetry, type ProcessTelemetry } from "./process-telemetry.ts";
export { recordBytes, splitToAppends } from "./record-codec.ts";
export type { RelayState } from "./relay-region.ts";
export { createRelay, type Relay, type RelayDeps } from "./relay.ts";
