/**
 * What a handler threw, as an API error: every error that leaves a server carries an ErrorInfo.
 *
 * Faults nobody foresaw become `internal` without a word of their own; `onFault` is told, so that a log has the rest.
 */
import { Code, ConnectError } from "@connectrpc/connect";
import type { CallEnd, CallLayer } from "./call-layer.ts";
import { methodName } from "./method-name.ts";
import { apiError, reasonOf } from "./refusal-error.ts";
import { rideIdIn, traceIdIn } from "./trace-context.ts";

/** `method` is fully qualified, such as "ridegrid.rider.v1.RiderService/GetRide". */
export type Fault = { readonly method: string; readonly error: unknown; readonly traceId?: string | undefined; readonly rideId?: string | undefined };
export type FaultLog = (fault: Fault) => void;

/** Outside of all layers that may fail. */
export function errorMapping(onFault: FaultLog): CallLayer {
  const end: CallEnd = (failure, call) => {
    if (failure === undefined) return;
    const about = () => ({ method: methodName(call.method), traceId: traceIdIn(call.header), rideId: rideIdIn(call.message) });
    return { error: toApiError(failure.error, (error) => onFault({ ...about(), error })) };
  };
  return {
    unary: () => end,
    stream: (next) => async (request) => {
      const { method, header } = request;
      const map = (error: unknown): ConnectError =>
        toApiError(error, (cause) => onFault({ method: methodName(method), error: cause, traceId: traceIdIn(header) }));
      try {
        const response = await next(request);
        return { ...response, message: mapped(response.message, map) };
      } catch (error) {
        throw map(error);
      }
    },
  };
}

export function toApiError(error: unknown, onUnforeseen: (error: unknown) => void = () => {}): ConnectError {
  if (reasonOf(error) !== undefined && error instanceof ConnectError) return error;
  if (error instanceof ConnectError) return fromConnect(error, onUnforeseen);
  if (isHangUp(error)) return apiError("CANCELED", "The caller went away", {}, undefined, error);
  if (isConnectionFault(error)) return apiError("DEPENDENCY_AWAY", "Cannot reach the database: its connection is away", {}, undefined, error);
  if (error instanceof DOMException && error.name === "AbortError") return apiError("CANCELED", "The call was canceled", {}, undefined, error);
  if (error instanceof DOMException && error.name === "TimeoutError") return apiError("DEADLINE_EXCEEDED", "The call's deadline passed", {}, undefined, error);
  onUnforeseen(error);
  return apiError("INTERNAL", "The call failed inside the platform", {}, undefined, error);
}

function fromConnect(error: ConnectError, onUnforeseen: (error: unknown) => void): ConnectError {
  switch (error.code) {
    case Code.Canceled:
    // Without a reason of ours it is connect-node's word for a stream that its peer destroyed.
    case Code.Aborted:
      return apiError("CANCELED", "The call was canceled", {}, undefined, error);
    case Code.DeadlineExceeded:
      return apiError("DEADLINE_EXCEEDED", "The call's deadline passed", {}, undefined, error);
    case Code.Unavailable:
      return apiError("DEPENDENCY_AWAY", error.rawMessage, {}, undefined, error);
    case Code.Unimplemented:
      return apiError("UNIMPLEMENTED", error.rawMessage, {}, undefined, error);
    case Code.InvalidArgument:
      return apiError("FIELD_INVALID", error.rawMessage, { field: fieldNamedIn(error.rawMessage) }, undefined, error);
    case Code.ResourceExhausted:
      return apiError("TOO_LARGE", error.rawMessage, {}, undefined, error);
    default:
      break;
  }
  // The library calls a body that does not decode `internal`, as if the fault were ours.
  if (error.rawMessage.startsWith("parse binary:"))
    return apiError("FIELD_INVALID", `Cannot decode the message: ${error.rawMessage}`, { field: "body" }, undefined, error);
  // A caller that gives up resets its stream; Bun's client does so with INTERNAL_ERROR.
  if (error.rawMessage.startsWith("http/2 stream closed")) return apiError("CANCELED", "The caller went away", {}, undefined, error);
  onUnforeseen(error);
  return apiError("INTERNAL", "The call failed inside the platform", {}, undefined, error);
}

/** A stream's message is decoded by the library, which names the innermost field: "cannot decode field a.v1.Message.field from JSON". */
function fieldNamedIn(message: string): string {
  return /cannot decode field \S+\.(\w+) from JSON/.exec(message)?.[1] ?? "body";
}

/** What Node's streams say when a caller leaves in the middle of its own messages. */
function isHangUp(error: unknown): boolean {
  return (
    error instanceof Error &&
    "code" in error &&
    (error.code === "ERR_STREAM_PREMATURE_CLOSE" || error.code === "ERR_STREAM_DESTROYED" || error.code === "ERR_HTTP2_STREAM_CANCEL")
  );
}

const connectionCodes: ReadonlySet<string> = new Set([
  // postgres.js
  "CONNECTION_CLOSED",
  "CONNECTION_ENDED",
  "CONNECTION_DESTROYED",
  "CONNECT_TIMEOUT",
  // the operating system
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  // PostgreSQL: too many connections, shutdowns, and a server that is not up yet
  "53300",
  "57P01",
  "57P02",
  "57P03",
]);

/** Whether anything in the chain of causes says that a connection is away. Class 08 is PostgreSQL's "connection exception". */
export function isConnectionFault(error: unknown, depth = 0): boolean {
  if (!(error instanceof Error) || depth > 8) return false;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (connectionCodes.has(code) || /^08[0-9A-Z]{3}$/.test(code)) return true;
  if (error instanceof AggregateError && error.errors.some((inner) => isConnectionFault(inner, depth + 1))) return true;
  return isConnectionFault(error.cause, depth + 1);
}

async function* mapped<T>(messages: AsyncIterable<T>, map: (error: unknown) => ConnectError): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    throw map(error);
  }
}
