/**
 * What a process measures, kept in memory and rendered in Prometheus' text format when somebody asks, and its tracer.
 *
 * It opens no port: whoever owns a listener serves `prometheusText()` at `/metrics`.
 */
import { type Meter, ProxyTracerProvider, type Tracer } from "@opentelemetry/api";
import { PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { type CollectionResult, MeterProvider, type MetricData, MetricReader, type ResourceMetrics } from "@opentelemetry/sdk-metrics";
import type { Tracing } from "./tracing.ts";

export interface Telemetry {
  readonly meter: Meter;
  readonly tracer: Tracer;
  /** Collects every instrument now. Gauges that are 0 are reported as 0. */
  prometheusText(): Promise<string>;
  shutdown(): Promise<void>;
}

export type TelemetryOptions = {
  readonly serviceName: string;
  /** Off when left out: spans are made by nobody. */
  readonly tracing?: Tracing | undefined;
};

export function createTelemetry(options: TelemetryOptions): Telemetry {
  const reader = new PullReader();
  const provider = new MeterProvider({ resource: resourceFromAttributes({ "service.name": options.serviceName }), readers: [reader] });
  const serializer = new PrometheusSerializer(undefined, false, undefined, false, true);
  return {
    meter: provider.getMeter("ridegrid"),
    // A provider without a delegate gives the API's own no-op tracer.
    tracer: options.tracing?.tracer ?? new ProxyTracerProvider().getTracer("ridegrid"),
    async prometheusText() {
      return renderOrThrow(await reader.collect(), serializer);
    },
    async shutdown() {
      await Promise.all([provider.shutdown(), options.tracing?.shutdown()]);
    },
  };
}

function renderOrThrow({ resourceMetrics, errors }: CollectionResult, serializer: PrometheusSerializer): string {
  if (errors.length > 0) throw new AggregateError(errors, `Cannot collect metrics: ${errors.length} instruments failed`);
  return serializer.serialize(withUnits(resourceMetrics));
}

/** Prometheus' convention: a unit is the end of the name. `rpc.server.call.duration` becomes `rpc_server_call_duration_seconds`. */
function withUnits(metrics: ResourceMetrics): ResourceMetrics {
  return { ...metrics, scopeMetrics: metrics.scopeMetrics.map((scope) => ({ ...scope, metrics: scope.metrics.map(inSeconds) })) };
}

function inSeconds(metric: MetricData): MetricData {
  const { name, unit } = metric.descriptor;
  if (unit !== "s") return metric;
  return { ...metric, descriptor: { ...metric.descriptor, name: /[._]seconds$/.test(name) ? name : `${name}.seconds`, unit: "seconds" } };
}

/** A reader that is only ever pulled. */
class PullReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}
