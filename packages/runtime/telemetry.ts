/**
 * What a process measures, kept in memory and rendered in Prometheus' text format when somebody asks.
 *
 * It opens no port: whoever owns a listener serves `prometheusText()` at `/metrics`.
 */
import { type Meter, trace, type Tracer } from "@opentelemetry/api";
import { PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { type CollectionResult, MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";

export interface Telemetry {
  readonly meter: Meter;
  readonly tracer: Tracer;
  /** Collects every instrument now. Gauges that are 0 are reported as 0. */
  prometheusText(): Promise<string>;
  shutdown(): Promise<void>;
}

export type TelemetryOptions = { readonly serviceName: string };

export function createTelemetry(options: TelemetryOptions): Telemetry {
  const reader = new PullReader();
  const provider = new MeterProvider({ resource: resourceFromAttributes({ "service.name": options.serviceName }), readers: [reader] });
  const serializer = new PrometheusSerializer(undefined, false, undefined, false, true);
  return {
    meter: provider.getMeter("ridegrid"),
    // Without a registered provider this is the API's own no-op tracer.
    tracer: trace.getTracer("ridegrid"),
    async prometheusText() {
      return renderOrThrow(await reader.collect(), serializer);
    },
    shutdown: () => provider.shutdown(),
  };
}

function renderOrThrow({ resourceMetrics, errors }: CollectionResult, serializer: PrometheusSerializer): string {
  if (errors.length > 0) throw new AggregateError(errors, `Cannot collect metrics: ${errors.length} instruments failed`);
  return serializer.serialize(resourceMetrics);
}

/** A reader that is only ever pulled. */
class PullReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}
