/** Which spans are kept, what lines written inside them carry, and what is on when nothing is configured. Exports are tested beside the receiver in `packages/testing`. */
import { expect, test } from "bun:test";
import { context, propagation, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { InMemorySpanExporter } from "@opentelemetry/sdk-trace";
import { createLogger } from "./logger.ts";
import { createTelemetry } from "./telemetry.ts";
import { startTracing } from "./tracing.ts";
import { type SamplerName, readTracingConfig } from "./tracing-config.ts";

const parent = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01";
const remote = () => propagation.extract(ROOT_CONTEXT, { traceparent: parent });

const kept: readonly (readonly [SamplerName, number, { readonly root: boolean; readonly child: boolean }])[] = [
  ["always_on", 1, { root: true, child: true }],
  ["always_off", 1, { root: false, child: false }],
  ["parentbased_always_off", 1, { root: false, child: true }],
  ["parentbased_traceidratio", 0, { root: false, child: true }],
  ["traceidratio", 0, { root: false, child: false }],
  ["traceidratio", 1, { root: true, child: true }],
];
test.each(kept)("the sampler %s with ratio %p keeps %p", async (sampler, samplerRatio, { root, child }) => {
  const exporter = new InMemorySpanExporter();
  const { tracer, shutdown } = await startTracing({ serviceName: "test", exporter, sampler, samplerRatio });
  expect(tracer.startSpan("root", {}, ROOT_CONTEXT).isRecording()).toBe(root);
  expect(tracer.startSpan("child", {}, remote()).isRecording()).toBe(child);
  await shutdown();
});

test("createTelemetry() without tracing makes spans that are nobody's", async () => {
  const telemetry = createTelemetry({ serviceName: "test" });
  const span = telemetry.tracer.startSpan("nothing");
  expect(span.isRecording()).toBe(false);
  expect(trace.getSpanContext(trace.setSpan(ROOT_CONTEXT, span))?.traceId).toBe("0".repeat(32));
  await telemetry.shutdown();
});

test("createLogger() puts trace and ride on lines that are written inside a span, across awaits", async () => {
  const exporter = new InMemorySpanExporter();
  const { tracer, shutdown } = await startTracing({ serviceName: "test", exporter, sampler: "always_on", samplerRatio: 1 });
  const lines: string[] = [];
  const logger = createLogger({ format: "json", level: "info", write: (line) => void lines.push(line) });
  const span = tracer.startSpan("work", {}, remote());
  await context.with(trace.setSpan(ROOT_CONTEXT, span), async () => {
    await Promise.resolve();
    logger.child({ app: "x" }).info("inside");
  });
  logger.info("outside");
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ msg: "inside", trace_id: "0123456789abcdef0123456789abcdef", span_id: span.spanContext().spanId });
  expect(JSON.parse(lines[1] ?? "")).not.toHaveProperty("trace_id");
  span.end();
  await shutdown();
});

test("readTracingConfig() is off without an endpoint, and reads headers and sampler", () => {
  expect(readTracingConfig({})).toBeUndefined();
  const config = readTracingConfig({
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318",
    OTEL_EXPORTER_OTLP_HEADERS: "authorization=Basic%20abc%3D, x-tenant=t",
    OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
    OTEL_TRACES_SAMPLER_ARG: "0.25",
  });
  expect(config).toEqual({
    endpoint: "http://collector:4318",
    headers: { authorization: "Basic abc=", "x-tenant": "t" },
    sampler: "parentbased_traceidratio",
    samplerRatio: 0.25,
  });
});

test("readTracingConfig() refuses a ratio that is none, and headers without quoting them", () => {
  const base = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" };
  expect(() => readTracingConfig({ ...base, OTEL_TRACES_SAMPLER_ARG: "2" })).toThrow('OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1, not "2"');
  expect(() => readTracingConfig({ ...base, OTEL_EXPORTER_OTLP_HEADERS: "hunter2" })).toThrow("must be name=value pairs");
  expect(() => readTracingConfig({ ...base, OTEL_EXPORTER_OTLP_HEADERS: "hunter2" })).not.toThrow("hunter2");
});
