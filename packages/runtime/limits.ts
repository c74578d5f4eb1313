/** The bounds of starting, stopping and reporting. Units come last in each name. */

/** A server that does not answer a connection attempt in this time counts as away. */
export const postgresConnectTimeoutMs = 5_000;
/** One statement; batch work that needs longer asks for it by name. */
export const postgresStatementTimeoutMs = 15_000;
/** A stopped process must not hold row locks for ever. */
export const postgresIdleInTransactionTimeoutMs = 30_000;
/** Short, so that a pool is back well within a second after the server is. */
export const postgresReconnectDelayMaxMs = 250;
export const postgresPoolSizeDefault = 5;

/** Crash recovery of a development database, with room to spare. */
export const embeddedPostgresStartTimeoutMs = 30_000;
export const embeddedPostgresStopTimeoutMs = 20_000;
export const embeddedPostgresPollMs = 10;
export const embeddedPostgresRetryMs = 100;
/** A server that is there answers its first message at once. */
export const embeddedPostgresAnswerTimeoutMs = 1_000;

export const kafkaBrokerStartTimeoutMs = 60_000;
export const kafkaBrokerStopTimeoutMs = 15_000;
export const kafkaBrokerPollMs = 50;
/** Of a server whose owner is gone, before it is killed. */
export const ownerlessServerStopTimeoutSeconds = 15;
/** 43 MB from Maven Central. */
export const kafkaJarsFetchTimeoutMs = 300_000;

export const clockMeasureIntervalMs = 30_000;
/** Of several round trips the shortest bounds the offset best. */
export const clockSamplesPerMeasure = 3;
export const clockSkewAlarmMs = 1_000;

/** Spans that wait for an export; what comes on top is dropped, for traces must not cost memory. */
export const spanQueueMax = 4_096;
export const spanBatchMax = 512;
export const spanFlushIntervalMs = 1_000;
export const spanExportTimeoutMs = 5_000;
export const spanLinksMax = 128;
export const spanAttributeLengthMax = 256;

/** The bridge from Upstash's protocol to a plain Redis. */
export const upstashBridgeConnectTimeoutMs = 1_000;
/** It tries for as long as its process lives; its clients have answered from their own memory meanwhile. */
export const upstashBridgeReconnectsMax = 1_000_000;
export const upstashPipelineCommandsMax = 1_000;
/** Scripts whose hash is known; `@upstash/ratelimit` has half a dozen. */
export const upstashBridgeScriptsMax = 256;

if (spanBatchMax > spanQueueMax) throw new Error("a batch of spans must fit the queue");
