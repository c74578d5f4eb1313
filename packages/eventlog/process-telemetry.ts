/** What a consumer does with records, as a `process <topic>` span and `messaging.process.duration`, whoever the consumer is. */
import { context, type Meter, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace, type Tracer } from "@opentelemetry/api";
import type { StoredRecord } from "./event-log.ts";
import { messageDurationBuckets } from "./limits.ts";
import { startMessageSpan } from "./message-trace.ts";

export interface ProcessTelemetry {
  /** The effect of a batch, the commit included. `alsoLinked`: `traceparent`s that the records follow up on. */
  around<T>(records: readonly StoredRecord[], work: () => Promise<T>): Promise<T>;
  /** The same for an effect in memory. */
  aroundSync<T>(records: readonly StoredRecord[], work: () => T, alsoLinked?: readonly string[]): T;
}

export type ProcessTelemetryOptions = {
  readonly tracer: Tracer;
  readonly meter: Meter;
  readonly topic: string;
  readonly partition: number;
  readonly consumer: string;
};

export function createProcessTelemetry({ tracer, meter, topic, partition, consumer }: ProcessTelemetryOptions): ProcessTelemetry {
  const labels = { "messaging.destination.name": topic, "messaging.consumer.group.name": consumer };
  const attributes = {
    ...labels,
    "messaging.operation.name": "process",
    "messaging.operation.type": "process",
    "messaging.destination.partition.id": String(partition),
  };
  const duration = meter.createHistogram("messaging.process.duration", {
    unit: "s",
    description: "Duration of processing a batch of records",
    advice: { explicitBucketBoundaries: [...messageDurationBuckets] },
  });

  function begin(records: readonly StoredRecord[], alsoLinked: readonly string[]): Processing {
    const span = startMessageSpan(tracer, records, { name: `process ${topic}`, kind: SpanKind.CONSUMER, attributes }, alsoLinked);
    return { span, beganAt: performance.now() };
  }

  function end({ span, beganAt }: Processing, failure?: { readonly error: unknown }): void {
    const seconds = (performance.now() - beganAt) / 1_000;
    duration.record(seconds, failure === undefined ? labels : { ...labels, "error.type": failure.error instanceof Error ? failure.error.name : "unknown" });
    if (failure !== undefined) span?.setStatus({ code: SpanStatusCode.ERROR });
    span?.end();
  }

  return {
    async around(records, work) {
      const processing = begin(records, []);
      try {
        const result = await active(processing, work);
        end(processing);
        return result;
      } catch (error) {
        end(processing, { error });
        throw error;
      }
    },
    aroundSync(records, work, alsoLinked = []) {
      const processing = begin(records, alsoLinked);
      try {
        const result = active(processing, work);
        end(processing);
        return result;
      } catch (error) {
        end(processing, { error });
        throw error;
      }
    },
  };
}

type Processing = { readonly span: Span | undefined; readonly beganAt: number };

function active<T>({ span }: Processing, work: () => T): T {
  return span === undefined ? work() : context.with(trace.setSpan(ROOT_CONTEXT, span), work);
}
