/**
 * How a call is known to its trace: W3C `traceparent` in its headers, and the ride it is about where that is known.
 *
 * The header is the carrier inside a process too, so a trace needs no ambient state to go on: what a handler passes on
 * with `onBehalfOf`, and what it writes into an event's envelope, is the span it runs in.
 */
import { type Context, createContextKey, propagation, ROOT_CONTEXT, type Span, trace } from "@opentelemetry/api";

export const traceHeader = "traceparent";

/** The same key as the logger's: keys of one description are equal. */
const rideIdKey = createContextKey("ridegrid.ride_id");
const wellFormed = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function isTraceparent(value: string | null): value is string {
  return value !== null && wellFormed.test(value);
}

/** For logs; undefined for a call without a trace. */
export function traceIdIn(headers: Headers): string | undefined {
  const value = headers.get(traceHeader);
  return isTraceparent(value) ? value.split("-")[1] : undefined;
}

/** The remote side's span. `tracestate` is left out: nobody here has a use for it. */
export function contextFrom(headers: Headers): Context {
  return propagation.extract(ROOT_CONTEXT, headers, {
    keys: () => [traceHeader],
    get: (from, key) => (key === traceHeader ? (from.get(key) ?? undefined) : undefined),
  });
}

/** From here on `headers` speak for `span`. */
export function enter(span: Span, headers: Headers, rideId: string | undefined): Context {
  const spanned = trace.setSpan(ROOT_CONTEXT, span);
  propagation.inject(spanned, headers, { set: (into, key, value) => (key === traceHeader ? into.set(key, value) : undefined) });
  return rideId === undefined ? spanned : spanned.setValue(rideIdKey, rideId);
}

/** A unary request's `ride_id`, its own or its command's; only what is a UUID, for callers write what they like. */
export function rideIdIn(message: object): string | undefined {
  const candidate = "rideId" in message ? message.rideId : "command" in message && typeof message.command === "object" ? idOf(message.command) : undefined;
  return typeof candidate === "string" && uuid.test(candidate) ? candidate.toLowerCase() : undefined;
}

function idOf(command: object | null): unknown {
  return command !== null && "rideId" in command ? command.rideId : undefined;
}
