/** What the matching worker measures. `matching_duration_seconds` and `kafka_consumer_lag` are promised by name. */
import type { Meter } from "@opentelemetry/api";

export interface WorkerMetrics {
  tick(seconds: number): void;
  stalled(): void;
  proposals(kind: "offer" | "release" | "forgotten" | "fenced", count: number): void;
  snapshot(cause: string): void;
  unreadable(topic: string): void;
  lag(facts: { readonly topic: string; readonly partition: number; readonly records: number }): void;
}

export function createWorkerMetrics(meter: Meter, attributes: { readonly region: string; readonly market: string; readonly consumer: string }): WorkerMetrics {
  const { region, market, consumer } = attributes;
  const duration = meter.createHistogram("matching_duration_seconds", {
    description: "Time to plan one tick",
    unit: "s",
    advice: { explicitBucketBoundaries: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1] },
  });
  const stalls = meter.createCounter("matching_stalled_ticks", { description: "Ticks that planned nothing because the event log did not answer" });
  const proposals = meter.createCounter("matching_proposals", { description: "Proposals by what became of them here" });
  const snapshots = meter.createCounter("matching_snapshots", { description: "Snapshots asked of the coordinator, by cause" });
  const unreadable = meter.createCounter("matching_unreadable_records", { description: "Records that did not decode or fold" });
  const lag = meter.createGauge("kafka_consumer_lag", { description: "Records between a consumer's position and the end of the partition" });
  return {
    tick: (seconds) => duration.record(seconds, { region, market }),
    stalled: () => stalls.add(1, { region, market }),
    proposals: (kind, count) => proposals.add(count, { region, market, kind }),
    snapshot: (cause) => snapshots.add(1, { region, market, cause }),
    unreadable: (topic) => unreadable.add(1, { region, market, topic }),
    lag: ({ topic, partition, records }) => lag.record(records, { region, consumer, topic, partition }),
  };
}
