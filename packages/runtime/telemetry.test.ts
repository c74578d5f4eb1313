/** What `/metrics` shows of what was measured. */
import { expect, test } from "bun:test";
import { createTelemetry } from "./telemetry.ts";

test("prometheusText() shows counters, histograms, and gauges that are 0", async () => {
  const telemetry = createTelemetry({ serviceName: "matching-worker" });
  telemetry.meter.createCounter("offers_total").add(3, { region: "ewr" });
  telemetry.meter.createHistogram("matching_duration_seconds").record(0.25);
  telemetry.meter.createObservableGauge("kafka_consumer_lag").addCallback((result) => result.observe(0, { partition: "0" }));
  const text = await telemetry.prometheusText();
  expect(text).toContain('offers_total{region="ewr"} 3');
  expect(text).toContain("matching_duration_seconds_count 1");
  expect(text).toContain('kafka_consumer_lag{partition="0"} 0');
  await telemetry.shutdown();
});
