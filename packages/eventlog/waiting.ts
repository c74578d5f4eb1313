/** Waiting that ends early: with a signal, at a deadline, or before a retry. Timers here never keep a process alive by themselves. */
import type { Random } from "@ridegrid/domain";
import { setImmediate as immediate } from "node:timers/promises";

class DeadlineExceeded extends Error {
  override readonly name = "DeadlineExceeded";
}

/** Rejects after `ms` with a fault that names the action. What was started may still happen. */
export async function withDeadline<T>(action: string, ms: number, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DeadlineExceeded(`Cannot ${action}: no answer within ${ms} ms`)), ms);
  });
  // The loser of the race must not become an unhandled rejection.
  work.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves after `ms`, or at once when the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal.addEventListener("abort", finish, { once: true });
  });
}

/** Lets what was asked of a driver leave for its server before work that takes the processor: postgres.js writes in an immediate of its own. */
export async function untilWritten(): Promise<void> {
  await immediate();
  await immediate();
}

/** Rejects with the signal's reason as soon as it aborts; `work` goes on unobserved. */
export async function orAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => {});
  signal.throwIfAborted();
  let abort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
  });
  aborted.catch(() => {});
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (abort) signal.removeEventListener("abort", abort);
  }
}

/** Full jitter over an exponentially growing, bounded span: retries of many never march in step. */
export function retryDelayMs(attempt: number, bounds: { readonly retryMs: number; readonly retryMaxMs: number }, random: Random): number {
  const span = Math.min(bounds.retryMaxMs, bounds.retryMs * 2 ** Math.min(attempt, 16));
  return span * (0.5 + random.next() / 2);
}
