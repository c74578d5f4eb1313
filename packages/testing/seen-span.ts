/** A span as tests look at it, whether it was kept in memory or came over the wire. */
import { InMemorySpanExporter, type ReadableSpan, type SpanExporter } from "@opentelemetry/sdk-trace";

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
  readonly service: string;
};

export interface SpanRecorder {
  readonly exporter: SpanExporter;
  /** What has ended and was exported until now. */
  spans(): readonly SeenSpan[];
}

export function createSpanRecorder(): SpanRecorder {
  const exporter = new InMemorySpanExporter();
  return { exporter, spans: () => exporter.getFinishedSpans().map(seen) };
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
    service: String(span.resource.attributes["service.name"]),
  };
}
