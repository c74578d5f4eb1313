/**
 * The client side of a call between services: bounded in time, and a peer that cannot be reached is DEPENDENCY_AWAY.
 *
 * What the peer itself answered, errors included, passes unchanged.
 */
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { orAborted } from "./deadline.ts";
import { internalCallTimeoutMs } from "./limits.ts";
import { apiError, reasonOf } from "./refusal-error.ts";

export function dependencyCall(): Interceptor {
  return (next) => async (request) => {
    const away = (error: unknown): unknown => (request.signal.aborted ? error : dependencyAway(request.service.typeName, error));
    try {
      if (request.stream) {
        const response = await next(request);
        return response.stream ? { ...response, message: mapped(response.message, away) } : response;
      }
      return request.header.has("connect-timeout-ms")
        ? await next(request)
        : await withinLimit(request.service.typeName, request.signal, (signal) => next({ ...request, signal }));
    } catch (error) {
      throw away(error);
    }
  };
}

async function withinLimit<T>(service: string, signal: AbortSignal, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const limit = new AbortController();
  const late = apiError("DEPENDENCY_AWAY", `${service} did not answer within ${internalCallTimeoutMs} ms`);
  const timer = setTimeout(() => limit.abort(late), internalCallTimeoutMs);
  const both = AbortSignal.any([signal, limit.signal]);
  try {
    return await orAborted(both, call(both));
  } finally {
    clearTimeout(timer);
  }
}

/** Answers from the peer keep their meaning; a dead connection, in its many spellings, becomes one. */
function dependencyAway(service: string, error: unknown): unknown {
  if (reasonOf(error) !== undefined) return error;
  if (error instanceof ConnectError && answered(error.code)) return error;
  const detail = error instanceof ConnectError ? error.rawMessage : String(error);
  return apiError("DEPENDENCY_AWAY", `Cannot reach ${service}: ${detail}`, {}, undefined, error);
}

/** Codes that a broken connection does not take in connect-node. */
function answered(code: Code): boolean {
  return code !== Code.Unavailable && code !== Code.Aborted && code !== Code.Internal && code !== Code.Canceled && code !== Code.Unknown;
}

async function* mapped<T>(messages: AsyncIterable<T>, map: (error: unknown) => unknown): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    throw map(error);
  }
}
