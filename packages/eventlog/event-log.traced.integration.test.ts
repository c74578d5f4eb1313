/** The spans that records leave behind on their way into the log and out of it. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { context as active, SpanKind, trace } from "@opentelemetry/api";
import {
  createTestContext,
  createTestDatabase,
  type SeenSpan,
  startTestTracing,
  type TestContext,
  type TestDatabase,
  type TestTracing,
} from "@ridegrid/testing";
import { createEmbeddedEventLog } from "./event-log.embedded.ts";
import { type EventLog, type LogRecord, RecordTooLarge } from "./event-log.ts";
import { tracedEventLog } from "./event-log.traced.ts";
import { appendLimits, messageLinksMax } from "./limits.ts";
import { createProcessTelemetry } from "./process-telemetry.ts";

const topic = "ewr.ride-events.v1";
let database: TestDatabase;
let log: EventLog;
let context: TestContext;
let tracing: TestTracing;

beforeAll(async () => {
  tracing = await startTestTracing();
  database = await createTestDatabase();
}, 30_000);
afterAll(async () => {
  await tracing.shutdown();
  await database.drop();
});
beforeEach(async () => {
  context = createTestContext({ tracer: tracing.tracer });
  log = tracedEventLog(createEmbeddedEventLog({ sql: database.sql({ max: 3 }), clock: context.clock }), context);
  await log.ensureTopics([{ topic, partitions: 1, retentionMs: 3_600_000 }]);
});
afterEach(() => log.close());

function traceparent(number: number): string {
  const hex = number.toString(16);
  return `00-${hex.padStart(32, "a")}-${hex.padStart(16, "b")}-01`;
}

function record(number: number | undefined, key = "ride-1"): LogRecord {
  return { key, value: new Uint8Array([1]), headers: number === undefined ? {} : { traceparent: traceparent(number) } };
}

async function spansOf(work: () => Promise<unknown>): Promise<readonly SeenSpan[]> {
  await tracing.flush();
  const before = tracing.spans().length;
  await work();
  await tracing.flush();
  return tracing.spans().slice(before);
}

async function stored() {
  const { start } = await log.bounds(topic, 0);
  return await log.read(topic, 0, start, { maxRecords: 5_000, maxBytes: 1_000_000, maxWaitMs: 100 }, new AbortController().signal);
}

test("tracedEventLog() appends records of one span inside its trace", async () => {
  const [span] = await spansOf(() => log.append(topic, 0, [record(1), record(1)]));
  const [, traceId, parentSpanId] = traceparent(1).split("-");
  expect(span).toMatchObject({ name: `send ${topic}`, kind: SpanKind.PRODUCER, traceId, parentSpanId, links: [] });
  expect(span?.attributes).toMatchObject({ "messaging.destination.name": topic, "messaging.batch.message_count": 2 });
  expect(await context.metricsText()).toContain(
    `messaging_client_operation_duration_seconds_count{messaging_operation_name="send",messaging_destination_name="${topic}"} 1`,
  );
});

test("tracedEventLog() links a batch of several traces to each, up to a bound", async () => {
  const [few] = await spansOf(() => log.append(topic, 0, [record(2), record(3), record(undefined), record(2)]));
  expect(few?.parentSpanId).toBe("");
  expect(few?.links.map(({ traceId }) => traceId)).toEqual([2, 3].map((number) => traceparent(number).split("-")[1] ?? ""));
  const many = Array.from({ length: messageLinksMax + 40 }, (_, index) => record(10 + index));
  const [bounded] = await spansOf(() => log.append(topic, 0, many));
  expect(bounded?.links.length).toBe(messageLinksMax);
});

test("tracedEventLog() makes no spans of records that no trace knows, such as positions", async () => {
  expect(await spansOf(() => log.append(topic, 0, [record(undefined), record(undefined)]))).toEqual([]);
});

test("tracedEventLog() passes failures on, as an error that has a name and no words", async () => {
  const tooLarge = { ...record(4), value: new Uint8Array(appendLimits.recordBytesMax + 1) };
  const [span] = await spansOf(async () => expect(await log.append(topic, 0, [tooLarge]).catch((error: unknown) => error)).toBeInstanceOf(RecordTooLarge));
  expect(span?.status).toBe(2);
  expect(await context.metricsText()).toContain('error_type="RecordTooLarge"');
});

test("createProcessTelemetry() runs the effect inside a process span of the record's trace", async () => {
  await log.append(topic, 0, [record(5, "ride-5")]);
  const records = (await stored()).filter(({ key }) => key === "ride-5");
  const processing = createProcessTelemetry({ ...context, topic, partition: 0, consumer: "projector" });
  let inside: string | undefined;
  const effect = async (): Promise<void> => {
    await Promise.resolve();
    inside = trace.getSpan(active.active())?.spanContext().spanId;
  };
  const [span] = await spansOf(() => processing.around(records, effect));
  expect(span).toMatchObject({ name: `process ${topic}`, kind: SpanKind.CONSUMER, traceId: traceparent(5).split("-")[1] ?? "", spanId: inside ?? "" });
  expect(await context.metricsText()).toContain(
    `messaging_process_duration_seconds_count{messaging_destination_name="${topic}",messaging_consumer_group_name="projector"} 1`,
  );
});

test("createProcessTelemetry() links what records follow up on, and marks an effect that failed", async () => {
  await log.append(topic, 0, [record(6, "ride-6")]);
  const records = (await stored()).filter(({ key }) => key === "ride-6");
  const processing = createProcessTelemetry({ ...context, topic, partition: 0, consumer: "projector" });
  const [followed] = await spansOf(async () => processing.aroundSync(records, () => 1, [traceparent(7)]));
  expect(followed?.links.map(({ traceId }) => traceId)).toEqual([traceparent(7).split("-")[1] ?? ""]);
  const [failed] = await spansOf(async () =>
    expect(await processing.around(records, () => Promise.reject(new RangeError("words"))).catch(String)).toBe("RangeError: words"),
  );
  expect(failed?.status).toBe(2);
  expect(JSON.stringify(failed)).not.toContain("words");
});
