/** What tests share: a database each, waits with deadlines, manual time, seeded dice. */
export { eventually, type EventuallyOptions } from "./eventually.ts";
export { type Figure, type Measurement, median } from "./figure.ts";
export { freePort } from "./free-port.ts";
export { type HttpLoad, startHttpLoad } from "./http-load.ts";
export { createManualClock, type ManualClock } from "./manual-clock.ts";
export { type LoadOutcome, offerLoad } from "./offered-load.ts";
export { redisServerMissing, type RedisServer, startRedisServer } from "./redis-server.ts";
export { type OtlpReceiver, startOtlpReceiver } from "./otlp-receiver.ts";
export { postgisServerMissing, startPostgisServer } from "./postgis-server.ts";
export { createSeededRandom } from "./seeded-random.ts";
export { createSequentialIds } from "./sequential-ids.ts";
export { createSelfSigned, type SelfSigned } from "./self-signed.ts";
export { startTestBroker, type TestBroker, testBrokerMissing } from "./test-broker.ts";
export { createTestContext, type TestContext } from "./test-context.ts";
export { createTestDatabase, type TestDatabase, type TestDatabaseOptions } from "./test-database.ts";
export { startTestServer, type TestServer } from "./test-server.ts";
export { type SeenSpan, startTestTracing, type TestTracing } from "./test-tracing.ts";
export { startUpstashBridge, type UpstashBridge } from "./upstash-bridge.ts";
