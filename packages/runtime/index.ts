/** What a process needs to start, stop and report. */
export type { App, ProcessContext, ReadinessPart } from "./app.ts";
export { type CorrectedClock, type CorrectedClockOptions, createCorrectedClock, createSystemClock } from "./clock.ts";
export { ConfigError, type Environment, readConfig, readVariable, requireVariable, type ValueOf, type VariableName, variables } from "./config.ts";
export { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from "./embedded-postgres.ts";
export { removeEmbeddedPostgresData } from "./embedded-postgres-data.ts";
export { createSystemIds } from "./ids.ts";
export { endLeftKafkaBroker, type KafkaBroker, kafkaBrokerMissing, type KafkaBrokerOptions, startKafkaBroker } from "./kafka-broker.ts";
export type { BrokerListener } from "./kafka-properties.ts";
export { createLogger, type Logger, type LoggerOptions, readableLine } from "./logger.ts";
export { migrate } from "./migrate.ts";
export { ensurePlatformSchemas, type PlatformWriter, platformWriters } from "./platform-schemas.ts";
export { createPostgres, type PostgresOptions, type Sql } from "./postgres.ts";
export { isPostgresAway, isTransactionConflict } from "./postgres-faults.ts";
export { createSystemRandom } from "./random.ts";
export { createTelemetry, type Telemetry, type TelemetryOptions } from "./telemetry.ts";
export { type OnSpansLost, startOtlpTracing, startTracing, type Tracing, type TracingOptions } from "./tracing.ts";
export { readTracingConfig, type SamplerName, type TracingConfig } from "./tracing-config.ts";
export { createUpstashBridge, type UpstashBridge } from "./upstash-bridge.ts";
