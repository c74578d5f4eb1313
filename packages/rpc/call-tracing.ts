/**
 * Spans of calls: a server span around every traced call that arrives, a client span around every one that leaves.
 *
 * Only the edge begins traces. A call between services that carries none (probes, renewals, position batches) makes no
 * span, so that quiet traffic costs nothing. Spans hold method, code, reason and ride id; never a message's contents or an
 * error's words, which quote values.
 */
import { Code, ConnectError, type Interceptor, type StreamRequest, type StreamResponse, type UnaryRequest } from "@connectrpc/connect";
import { type Context, context, isSpanContextValid, propagation, type Span, SpanKind, SpanStatusCode, type Tracer } from "@opentelemetry/api";
import type { IdSource } from "@ridegrid/domain";
import type { CallEnd, CallLayer, StreamNext, UnaryCall } from "./call-layer.ts";
import { type CallMetrics, codeName } from "./call-metrics.ts";
import { methodName } from "./method-name.ts";
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

/** The outermost layer of the public edge: whatever the client sent, the call goes on with a `traceparent` that is one. */
export function edgeTracing({ tracer, ids, untraced }: EdgeTracingOptions): CallLayer {
  const isOn = isTracing();
  const begin = (request: Traceable): Span | undefined => {
    const { header } = request;
    const given = header.get(traceHeader);
    const isTraced = isTraceparent(given);
    if (given !== null && !isTraced) header.delete(traceHeader);
    if (untraced.has(request.method.name)) return undefined;
    const span = isOn ? startSpan(tracer, SpanKind.SERVER, request) : undefined;
    // Tracing is off: still one id for the logs and events of this call, marked as not sampled.
    if (span === undefined && !isTraced) late(request, () => newTraceparent(ids));
    return span;
  };
  return spanning(begin);
}

/** The outermost layer of an internal server. */
export function serverTracing(tracer: Tracer): CallLayer {
  return isTracing() ? spanning((request) => continued(tracer, SpanKind.SERVER, request)) : {};
}

/** The outermost interceptor of a client: one span for the call with all that happens to it. */
export function clientTracing(tracer: Tracer): Interceptor {
  if (!isTracing()) return (next) => next;
  return (next) => async (request) => {
    const span = continued(tracer, SpanKind.CLIENT, request);
    if (span === undefined) return next(request);
    const active = enter(span, request.header, request.stream ? undefined : rideOf(span, request.message));
    try {
      const response = await context.with(active, () => next(request));
      if (response.stream) return { ...response, message: streamed(response.message, span, active) };
      succeed(span);
      return response;
    } catch (error) {
      fail(span, error);
      throw error;
    }
  };
}

function spanning(begin: (request: Traceable) => Span | undefined): CallLayer {
  return {
    unary(call) {
      const span = begin(call);
      return span === undefined ? undefined : inside(span, call);
    },
    stream: (next) => (request) => {
      const span = begin(request);
      return span === undefined ? next(request) : streamInside(span, request, next);
    },
  };
}

/** Nobody records such a trace, so its id is made for whoever passes it on. */
function late(request: Traceable, traceparent: () => string): void {
  if ("lateHeader" in request) request.lateHeader(traceHeader, traceparent);
  else request.header.set(traceHeader, traceparent());
}

type Traceable = UnaryCall | StreamRequest | UnaryRequest;

function continued(tracer: Tracer, kind: SpanKind, request: Traceable): Span | undefined {
  return request.header.has(traceHeader) ? startSpan(tracer, kind, request) : undefined;
}

/** Known once a process has begun. Asked once for all calls: making attributes for nobody would cost more than all the rest. */
function isTracing(): boolean {
  return propagation.fields().length > 0;
}

/** Undefined when the tracer makes no spans. */
function startSpan(tracer: Tracer, kind: SpanKind, { method, header }: Traceable): Span | undefined {
  const name = methodName(method);
  const span = tracer.startSpan(name, { kind, attributes: { "rpc.system.name": "connectrpc", "rpc.method": name } }, contextFrom(header));
  return isSpanContextValid(span.spanContext()) && span.spanContext().isRemote !== true ? span : undefined;
}

function inside(span: Span, call: UnaryCall): CallEnd {
  call.activeContext = enter(span, call.header, rideOf(span, call.message));
  return (failure) => (failure === undefined ? succeed(span) : fail(span, failure.error));
}

async function streamInside(span: Span, request: StreamRequest, next: StreamNext): Promise<StreamResponse> {
  const active = enter(span, request.header, undefined);
  try {
    const response = await context.with(active, () => next(request));
    return { ...response, message: streamed(response.message, span, active) };
  } catch (error) {
    fail(span, error);
    throw error;
  }
}

/** The ride that a message is about, which its span is found by. */
function rideOf(span: Span, message: object): string | undefined {
  const rideId = rideIdIn(message);
  if (rideId !== undefined) span.setAttribute("ridegrid.ride_id", rideId);
  return rideId;
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
  const id = ids.uuid().replaceAll("-", "");
  return `00-${id}-${id.slice(16)}-00`;
}
