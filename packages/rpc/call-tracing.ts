/**
 * Spans of calls: a server span around every traced call that arrives, a client span around every one that leaves.
 *
 * Only the edge begins traces. A call between services that carries none (probes, renewals, position batches) makes no
 * span, so that quiet traffic costs nothing. Spans hold method, code, reason and ride id; never a message's contents or an
 * error's words, which quote values.
 */
import { Code, ConnectError, type Interceptor, type StreamRequest, type UnaryRequest } from "@connectrpc/connect";
import { type Context, context, isSpanContextValid, propagation, type Span, SpanKind, SpanStatusCode, type Tracer } from "@opentelemetry/api";
import type { IdSource } from "@ridegrid/domain";
import { type CallMetrics, codeName } from "./call-metrics.ts";
import { reasonOf } from "./refusal-error.ts";
import { contextFrom, enter, isTraceparent, rideIdIn, traceHeader } from "./trace-context.ts";

/** What a transport and a server of internal services report to. */
export type CallTelemetry = { readonly tracer: Tracer; readonly calls: CallMetrics };

export type EdgeTracingOptions = {
  readonly tracer: Tracer;
  readonly ids: IdSource;
  /** Names of methods that come too often for spans. They are measured all the same. */
  readonly untraced: ReadonlySet<string>;
};

/** The outermost interceptor of the public edge: whatever the client sent, the call goes on with a `traceparent` that is one. */
export function edgeTracing({ tracer, ids, untraced }: EdgeTracingOptions): Interceptor {
  return (next) => (request) => {
    const { header } = request;
    if (!isTraceparent(header.get(traceHeader))) header.delete(traceHeader);
    if (untraced.has(request.method.name)) return next(request);
    const span = startSpan(tracer, SpanKind.SERVER, request);
    if (span !== undefined) return within(span, request, next);
    // Tracing is off: still one id for the logs and events of this call, marked as not sampled.
    if (!header.has(traceHeader)) header.set(traceHeader, newTraceparent(ids));
    return next(request);
  };
}

/** The outermost interceptor of an internal server. */
export function serverTracing(tracer: Tracer): Interceptor {
  return continuing(tracer, SpanKind.SERVER);
}

/** The outermost interceptor of a client: one span for the call with all that happens to it. */
export function clientTracing(tracer: Tracer): Interceptor {
  return continuing(tracer, SpanKind.CLIENT);
}

function continuing(tracer: Tracer, kind: SpanKind): Interceptor {
  return (next) => (request) => {
    const span = request.header.has(traceHeader) ? startSpan(tracer, kind, request) : undefined;
    return span === undefined ? next(request) : within(span, request, next);
  };
}

type AnyRequest = UnaryRequest | StreamRequest;
type Next = Parameters<Interceptor>[0];

/** Undefined while tracing is off. */
function startSpan(tracer: Tracer, kind: SpanKind, { service, method, header }: AnyRequest): Span | undefined {
  // Asked first: making attributes for nobody would cost more than all the rest.
  if (propagation.fields().length === 0) return undefined;
  const name = `${service.typeName}/${method.name}`;
  const span = tracer.startSpan(name, { kind, attributes: { "rpc.system.name": "connectrpc", "rpc.method": name } }, contextFrom(header));
  return isSpanContextValid(span.spanContext()) && span.spanContext().isRemote !== true ? span : undefined;
}

async function within(span: Span, request: AnyRequest, next: Next): ReturnType<Next> {
  const rideId = request.stream ? undefined : rideIdIn(request.message);
  if (rideId !== undefined) span.setAttribute("ridegrid.ride_id", rideId);
  const active = enter(span, request.header, rideId);
  try {
    const response = await context.with(active, () => next(request));
    if (response.stream) return { ...response, message: streamed(response.message, span, active) };
    succeed(span);
    return response;
  } catch (error) {
    fail(span, error);
    throw error;
  }
}

/** The span of a stream lasts as long as it; none for each message. */
async function* streamed<T>(messages: AsyncIterable<T>, span: Span, active: Context): AsyncIterable<T> {
  const source = messages[Symbol.asyncIterator]();
  let failure: unknown;
  try {
    for (;;) {
      const next = await context.with(active, () => source.next());
      if (next.done === true) return;
      yield next.value;
    }
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    if (failure === undefined) succeed(span);
    else fail(span, failure);
    source.return?.().catch(() => {});
  }
}

function succeed(span: Span): void {
  span.setAttribute("rpc.status_code", "ok");
  span.end();
}

/** A refusal is an answer; only what is our own fault makes a span an error. */
function fail(span: Span, error: unknown): void {
  const code = error instanceof ConnectError ? error.code : Code.Internal;
  const reason = reasonOf(error);
  span.setAttribute("rpc.status_code", codeName(code));
  if (reason !== undefined) span.setAttribute("ridegrid.reason", reason);
  if (code === Code.Internal || code === Code.Unknown || code === Code.DataLoss || code === Code.Unavailable) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}

/** W3C trace context of a trace that nobody records. */
function newTraceparent(ids: IdSource): string {
  const traceId = ids.uuid().replaceAll("-", "");
  return `00-${traceId}-${ids.uuid().replaceAll("-", "").slice(16)}-00`;
}
