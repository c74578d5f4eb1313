/**
 * Traces of a process: a tracer whose spans go to an exporter, in bounded batches, off the calls' way.
 *
 * Off is the default and costs nothing: without this no SDK is loaded, every tracer is the API's own that does nothing,
 * and `traceparent` only passes through. On, it registers the process's async context and W3C propagation, once.
 */
import { context, propagation, type Tracer } from "@opentelemetry/api";
import type { Sampler, SpanExporter } from "@opentelemetry/sdk-trace";
import { spanAttributeLengthMax, spanBatchMax, spanExportTimeoutMs, spanFlushIntervalMs, spanLinksMax, spanQueueMax } from "./limits.ts";
import type { SamplerName, TracingConfig } from "./tracing-config.ts";

export interface Tracing {
  readonly tracer: Tracer;
  /** Exports what has ended until now. */
  flush(): Promise<void>;
  shutdown(): Promise<void>;
}

export type TracingOptions = {
  readonly serviceName: string;
  readonly exporter: SpanExporter;
  readonly sampler: SamplerName;
  /** Of the samplers that take a ratio: the share of traces kept, 0 to 1. */
  readonly samplerRatio: number;
};

export async function startTracing({ serviceName, exporter, sampler, samplerRatio }: TracingOptions): Promise<Tracing> {
  const [{ BatchSpanProcessor, TracerProvider }, { resourceFromAttributes }] = await Promise.all([
    import("@opentelemetry/sdk-trace"),
    import("@opentelemetry/resources"),
    registerPropagation(),
  ]);
  const batches = new BatchSpanProcessor({
    exporter,
    maxQueueSize: spanQueueMax,
    maxExportBatchSize: spanBatchMax,
    scheduledDelayMillis: spanFlushIntervalMs,
    exportTimeoutMillis: spanExportTimeoutMs,
  });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": serviceName }),
    sampler: await samplerOf(sampler, samplerRatio),
    spanLimits: { linkCountLimit: spanLinksMax, attributeValueLengthLimit: spanAttributeLengthMax },
    spanProcessors: [batches],
  });
  // What could not be exported was reported when it failed; a process must still end.
  return { tracer: provider.getTracer("ridegrid"), flush: () => provider.forceFlush(), shutdown: () => provider.shutdown().catch(() => {}) };
}

/** To an OpenTelemetry collector, as protobuf over HTTP. A collector that is away costs spans, never a call. */
export async function startOtlpTracing(serviceName: string, { endpoint, headers, ...sampling }: TracingConfig, onLost: OnSpansLost): Promise<Tracing> {
  const { OTLPTraceExporter } = await import("@opentelemetry/exporter-trace-otlp-proto");
  const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/+$/, "")}/v1/traces`, headers: { ...headers }, timeoutMillis: spanExportTimeoutMs });
  return await startTracing({ serviceName, exporter: reporting(exporter, onLost), ...sampling });
}

/** Told of each batch that the collector did not take. */
export type OnSpansLost = (count: number, cause: unknown) => void;

function reporting(exporter: SpanExporter, onLost: OnSpansLost): SpanExporter {
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        if (result.error !== undefined) onLost(spans.length, result.error);
        done(result);
      }),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  };
}

async function registerPropagation(): Promise<void> {
  // A second process-wide registration would be refused with a complaint.
  if (propagation.fields().length > 0) return;
  const [{ AsyncLocalStorageContextManager }, { W3CTraceContextPropagator }] = await Promise.all([
    import("@opentelemetry/context-async-hooks"),
    import("@opentelemetry/core"),
  ]);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
}

async function samplerOf(name: SamplerName, ratio: number): Promise<Sampler> {
  const { AlwaysOffSampler, AlwaysOnSampler, ParentBasedSampler, TraceIdRatioBasedSampler } = await import("@opentelemetry/sdk-trace");
  const root = name.endsWith("always_on") ? new AlwaysOnSampler() : name.endsWith("always_off") ? new AlwaysOffSampler() : new TraceIdRatioBasedSampler(ratio);
  return name.startsWith("parentbased_") ? new ParentBasedSampler({ root }) : root;
}
