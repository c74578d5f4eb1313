/** Tracing that keeps everything in memory, and spans as tests look at them, kept here or come over the wire. */
import { InMemorySpanExporter, type ReadableSpan } from "@opentelemetry/sdk-trace";
import { startTracing, type Tracing } from "@ridegrid/runtime";

export type SeenSpan = {
  readonly name: string;
  /** Of OpenTelemetry's API: 0 internal, 1 server, 2 client, 3 producer, 4 consumer. */
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the first of a trace. */
  readonly parentSpanId: string;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly attributes: Readonly<Record<string, unknown>>;
  /** 0 unset, 1 ok, 2 error. */
  readonly status: number;
  readonly service: string;
};

export interface TestTracing extends Tracing {
  /** What has ended and was flushed until now. */
  spans(): readonly SeenSpan[];
}

export async function startTestTracing(): Promise<TestTracing> {
  const exporter = new InMemorySpanExporter();
  const tracing = await startTracing({ serviceName: "test", exporter, sampler: "parentbased_always_on", samplerRatio: 1 });
  return { ...tracing, spans: () => exporter.getFinishedSpans().map(seen) };
}

function seen(span: ReadableSpan): SeenSpan {
  const { traceId, spanId } = span.spanContext();
  return {
    name: span.name,
    kind: span.kind,
    traceId,
    spanId,
    parentSpanId: span.parentSpanContext?.spanId ?? "",
    links: span.links.map(({ context }) => ({ traceId: context.traceId, spanId: context.spanId })),
    attributes: span.attributes,
    status: span.status.code,
    service: String(span.resource.attributes["service.name"]),
  };
}
