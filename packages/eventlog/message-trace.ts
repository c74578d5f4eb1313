/**
 * The trace of records, from their `traceparent` headers: where all come from one span, theirs is the parent; a batch of
 * several is a trace of its own with a link to each, up to a bound. Records without the header (positions) make no span.
 */
import {
  type Attributes,
  type Context,
  isSpanContextValid,
  type Link,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanKind,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import type { LogRecord } from "./event-log.ts";
import { messageLinksMax } from "./limits.ts";

export type MessageSpan = { readonly name: string; readonly kind: SpanKind; readonly attributes: Attributes };

/** Undefined while tracing is off, and for records that no trace knows. `alsoLinked` are `traceparent`s. */
export function startMessageSpan(tracer: Tracer, records: readonly LogRecord[], about: MessageSpan, alsoLinked: readonly string[] = []): Span | undefined {
  if (propagation.fields().length === 0) return undefined;
  const origins = distinctTraceparents(records);
  const [only] = origins;
  if (only === undefined) return undefined;
  const parent = origins.length === 1 ? contextOf(only) : ROOT_CONTEXT;
  const links = [...(origins.length === 1 ? [] : origins), ...alsoLinked].flatMap(linkTo);
  const attributes = { ...about.attributes, "messaging.batch.message_count": records.length };
  const span = tracer.startSpan(about.name, { kind: about.kind, attributes, links }, parent);
  return isSpanContextValid(span.spanContext()) ? span : undefined;
}

function distinctTraceparents(records: readonly LogRecord[]): readonly string[] {
  const found = new Set<string>();
  for (const { headers } of records) {
    const traceparent = headers["traceparent"];
    if (traceparent !== undefined) found.add(traceparent);
    if (found.size >= messageLinksMax) break;
  }
  return [...found];
}

function linkTo(traceparent: string): readonly Link[] {
  const linked = trace.getSpanContext(contextOf(traceparent));
  return linked === undefined ? [] : [{ context: linked }];
}

function contextOf(traceparent: string): Context {
  return propagation.extract(ROOT_CONTEXT, { traceparent });
}
