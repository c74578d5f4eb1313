/**
 * Any event log with a span and a duration for each append that a trace knows of, by OpenTelemetry's messaging names.
 *
 * Reads are counted, not spanned: a reader asks all day, and what it does with records is its own `process` span.
 */
import { type Meter, SpanKind, SpanStatusCode, type Tracer } from "@opentelemetry/api";
import type { EventLog } from "./event-log.ts";
import { messageDurationBuckets } from "./limits.ts";
import { startMessageSpan } from "./message-trace.ts";

export type TracedEventLogOptions = { readonly tracer: Tracer; readonly meter: Meter };

export function tracedEventLog(log: EventLog, { tracer, meter }: TracedEventLogOptions): EventLog {
  const duration = meter.createHistogram("messaging.client.operation.duration", {
    unit: "s",
    description: "Duration of appends to the event log",
    advice: { explicitBucketBoundaries: [...messageDurationBuckets] },
  });
  const consumed = meter.createCounter("messaging.client.consumed.messages", { description: "Records read from the event log" });
  return {
    ensureTopics: (topics) => log.ensureTopics(topics),
    bounds: (topic, partition) => log.bounds(topic, partition),
    offsetAt: (topic, partition, timeMs) => log.offsetAt(topic, partition, timeMs),
    close: () => log.close(),
    async append(topic, partition, records) {
      const attributes = { "messaging.operation.name": "send", "messaging.destination.name": topic };
      const about = { ...attributes, "messaging.operation.type": "send", "messaging.destination.partition.id": String(partition) };
      const span = startMessageSpan(tracer, records, { name: `send ${topic}`, kind: SpanKind.PRODUCER, attributes: about });
      const beganAt = performance.now();
      try {
        await log.append(topic, partition, records);
        duration.record((performance.now() - beganAt) / 1_000, attributes);
      } catch (error) {
        duration.record((performance.now() - beganAt) / 1_000, { ...attributes, "error.type": error instanceof Error ? error.name : "unknown" });
        span?.setStatus({ code: SpanStatusCode.ERROR });
        throw error;
      } finally {
        span?.end();
      }
    },
    async read(topic, partition, fromOffset, limits, signal) {
      const records = await log.read(topic, partition, fromOffset, limits, signal);
      if (records.length > 0) consumed.add(records.length, { "messaging.destination.name": topic });
      return records;
    },
  };
}
