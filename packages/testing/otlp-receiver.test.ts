/** Traces as a collector gets them, and what becomes of them when there is none. */
import { afterEach, expect, test } from "bun:test";
import { propagation, ROOT_CONTEXT, SpanKind } from "@opentelemetry/api";
import { startOtlpTracing } from "@ridegrid/runtime";
import { type OtlpReceiver, startOtlpReceiver } from "./otlp-receiver.ts";

let receiver: OtlpReceiver | undefined;
afterEach(async () => {
  await receiver?.stop();
  receiver = undefined;
});

test("startOtlpTracing() sends spans as protobuf, with parents, links, attributes, service and headers", async () => {
  receiver = startOtlpReceiver();
  const traceparent = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01";
  const tracing = await startOtlpTracing(
    "gateway",
    {
      endpoint: `${receiver.endpoint}/`,
      headers: { "x-key": "k" },
      sampler: "parentbased_always_on",
      samplerRatio: 1,
    },
    () => {},
  );
  const first = tracing.tracer.startSpan("first", { kind: SpanKind.SERVER }, propagation.extract(ROOT_CONTEXT, { traceparent }));
  const second = tracing.tracer.startSpan("second", { links: [{ context: first.spanContext() }], attributes: { "rpc.method": "a/B", count: 7 } });
  second.end();
  first.end();
  await tracing.shutdown();
  const [b, a] = receiver.spans();
  expect(a).toMatchObject({
    name: "first",
    kind: SpanKind.SERVER,
    traceId: "0123456789abcdef0123456789abcdef",
    parentSpanId: "0123456789abcdef",
    service: "gateway",
  });
  expect(b).toMatchObject({ name: "second", parentSpanId: "", attributes: { "rpc.method": "a/B", count: 7 } });
  expect(b?.links).toEqual([{ traceId: "0123456789abcdef0123456789abcdef", spanId: first.spanContext().spanId }]);
  expect(receiver.headers[0]?.get("x-key")).toBe("k");
});

test("startOtlpTracing() loses spans, says how many, and ends all the same when the collector is away", async () => {
  let lost = 0;
  const tracing = await startOtlpTracing(
    "gateway",
    { endpoint: "http://127.0.0.1:1", headers: {}, sampler: "always_on", samplerRatio: 1 },
    (count) => void (lost += count),
  );
  for (let count = 0; count < 10_000; count++) tracing.tracer.startSpan("lost").end();
  await tracing.shutdown();
  // No more than the queue holds were kept for it.
  expect(lost).toBeGreaterThan(0);
  expect(lost).toBeLessThanOrEqual(4_096 + 512);
});
