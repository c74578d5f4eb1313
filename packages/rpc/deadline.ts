/**
 * Holds a unary call to its deadline: the caller's, or the server's own when the caller set none.
 *
 * The library aborts a handler's signal at the deadline and then waits for the handler; this answers at once.
 */
import type { Interceptor } from "@connectrpc/connect";
import { apiError } from "./refusal-error.ts";

export function unaryDeadline(defaultTimeoutMs: number): Interceptor {
  return (next) => async (request) => {
    if (request.stream) return next(request);
    const ownDeadline = request.header.has("connect-timeout-ms") || request.header.has("grpc-timeout");
    const limit = new AbortController();
    const passed = (): void => limit.abort(apiError("DEADLINE_EXCEEDED", `Cannot answer ${request.method.name} within ${defaultTimeoutMs} ms`));
    const timer = ownDeadline ? undefined : setTimeout(passed, defaultTimeoutMs);
    // Stays: the call's own signal ends with the call. By hand, since AbortSignal.any costs as much as all the other interceptors together.
    const ended = (): void => limit.abort(request.signal.reason);
    if (request.signal.aborted) ended();
    else request.signal.addEventListener("abort", ended, { once: true });
    try {
      return await orAborted(limit.signal, next({ ...request, signal: limit.signal }));
    } finally {
      clearTimeout(timer);
    }
  };
}

/** Settles as the promise does, or rejects with the signal's reason, whichever comes first. */
export async function orAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  let stop = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    stop = () => signal.removeEventListener("abort", onAbort);
  });
  try {
    return await Promise.race([aborted, promise]);
  } finally {
    stop();
  }
}
