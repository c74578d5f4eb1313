/**
 * Holds a unary call to its deadline: the caller's, or the server's own when the caller set none.
 *
 * The library aborts a handler's signal at the deadline and then waits for the handler; this answers at once.
 */
import type { CallEnd, CallLayer, UnaryCall } from "./call-layer.ts";
import { deadlineTickMs } from "./limits.ts";
import { apiError } from "./refusal-error.ts";

export function unaryDeadline(defaultTimeoutMs: number): CallLayer {
  const waiting = createDeadlines(defaultTimeoutMs);
  return { unary: (call) => (call.hasDeadline ? undefined : waiting(call)) };
}

/** All calls wait equally long, so one timer looks at them now and then, the oldest first: a timer for each costs as much as its layers. */
function createDeadlines(timeoutMs: number): (call: UnaryCall) => CallEnd {
  const deadlines = new Map<UnaryCall, number>();
  let isTicking = false;
  const tick = (): void => {
    const nowMs = performance.now();
    for (const [call, deadlineMs] of deadlines) {
      if (deadlineMs > nowMs) break;
      deadlines.delete(call);
      call.interrupt(apiError("DEADLINE_EXCEEDED", `Cannot answer ${call.method.name} within ${timeoutMs} ms`));
    }
    isTicking = deadlines.size > 0;
    if (isTicking) setTimeout(tick, Math.min(deadlineTickMs, timeoutMs));
  };
  const end: CallEnd = (_, call) => void deadlines.delete(call);
  return (call) => {
    deadlines.set(call, performance.now() + timeoutMs);
    if (!isTicking) setTimeout(tick, Math.min(deadlineTickMs, timeoutMs));
    isTicking = true;
    return end;
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
