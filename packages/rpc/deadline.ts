/**
 * Holds a unary call to its deadline: the caller's, or the server's own when the caller set none.
 *
 * The library aborts a handler's signal at the deadline and then waits for the handler; this answers at once.
 */
import type { Interceptor, UnaryRequest } from "@connectrpc/connect";
import { apiError } from "./refusal-error.ts";

export function unaryDeadline(defaultTimeoutMs: number): Interceptor {
  return (next) => (request) => (request.stream ? next(request) : withinDeadline(request, next, defaultTimeoutMs));
}

/** By hand: AbortSignal.any and a race of promises cost as much as all the other interceptors together. */
function withinDeadline(request: UnaryRequest, next: Next, defaultTimeoutMs: number): ReturnType<Next> {
  const ownDeadline = request.header.has("connect-timeout-ms") || request.header.has("grpc-timeout");
  const limit = new AbortController();
  const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<Next>>>();
  const end = (reason: unknown): void => {
    limit.abort(reason);
    reject(reason);
  };
  const passed = (): void => end(apiError("DEADLINE_EXCEEDED", `Cannot answer ${request.method.name} within ${defaultTimeoutMs} ms`));
  const timer = ownDeadline ? undefined : setTimeout(passed, defaultTimeoutMs);
  // Stays until the call's own signal ends, which it does with the call: what a handler started hears of it.
  if (request.signal.aborted) end(request.signal.reason);
  else request.signal.addEventListener("abort", () => end(request.signal.reason), { once: true });
  void answer(next, { ...request, signal: limit.signal })
    .then(resolve, reject)
    .finally(() => clearTimeout(timer));
  return promise;
}

type Next = Parameters<Interceptor>[0];

/** An interceptor further in may throw before it returns a promise. */
async function answer(next: Next, request: UnaryRequest): ReturnType<Next> {
  return next(request);
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
