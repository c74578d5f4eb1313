/**
 * Wakes waiting readers of one log object: appends of this process wake them at once, commits of other processes are
 * seen by one poll for all of them, which runs only while somebody waits and slows down while nothing comes.
 */
import { embeddedLogLimits } from "./limits.ts";

export type PartitionEnd = { readonly topic: string; readonly partition: number; readonly end: number };

type Waiter = PartitionEnd & { readonly wake: () => void; readonly fail: (error: unknown) => void };

export interface LogEndWatch {
  /** Resolves when the end is known to be above `offset`, or after `waitMs`. Rejects on abort and when the look fails. */
  waitAbove(partition: PartitionEnd, waitMs: number, signal: AbortSignal): Promise<void>;
  advance(end: PartitionEnd): void;
  close(reason: Error): void;
}

export function createLogEndWatch(look: (partitions: readonly PartitionEnd[]) => Promise<readonly PartitionEnd[]>): LogEndWatch {
  const waiters = new Set<Waiter>();
  const knownEnds = new Map<string, number>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let looking = false;
  let closed: Error | undefined;
  let intervalMs: number = embeddedLogLimits.pollActiveMs;

  function advance({ topic, partition, end }: PartitionEnd): void {
    const key = keyOf(topic, partition);
    if (end <= (knownEnds.get(key) ?? 0)) return;
    knownEnds.set(key, end);
    intervalMs = embeddedLogLimits.pollActiveMs;
    for (const waiter of waiters) {
      if (waiter.topic === topic && waiter.partition === partition && end > waiter.end) waiter.wake();
    }
  }

  function schedule(): void {
    if (timer !== undefined || looking || waiters.size === 0) return;
    timer = setTimeout(poll, intervalMs);
  }

  async function poll(): Promise<void> {
    timer = undefined;
    looking = true;
    intervalMs = Math.min(embeddedLogLimits.pollIdleMs, intervalMs * embeddedLogLimits.pollGrowth);
    try {
      const waited = new Map([...waiters].map((waiter) => [keyOf(waiter.topic, waiter.partition), waiter]));
      for (const end of await look([...waited.values()])) advance(end);
    } catch (error) {
      for (const waiter of waiters) waiter.fail(error);
    } finally {
      looking = false;
      schedule();
    }
  }

  function waitAbove(from: PartitionEnd, waitMs: number, signal: AbortSignal): Promise<void> {
    if (closed) return Promise.reject(closed);
    if (signal.aborted) return Promise.reject(signal.reason);
    if (waitMs <= 0 || (knownEnds.get(keyOf(from.topic, from.partition)) ?? 0) > from.end) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(deadline);
        waiters.delete(waiter);
        signal.removeEventListener("abort", abort);
      };
      const wake = (): void => {
        leave();
        resolve();
      };
      const fail = (error: unknown): void => {
        leave();
        reject(error);
      };
      const abort = (): void => fail(signal.reason);
      const waiter: Waiter = { ...from, wake, fail };
      const deadline = setTimeout(wake, waitMs);
      signal.addEventListener("abort", abort, { once: true });
      waiters.add(waiter);
      schedule();
    });
  }

  function close(reason: Error): void {
    closed = reason;
    clearTimeout(timer);
    timer = undefined;
    for (const waiter of waiters) waiter.fail(reason);
  }

  return { waitAbove, advance, close };
}

function keyOf(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}
