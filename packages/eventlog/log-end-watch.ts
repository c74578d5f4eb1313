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
    const key = keyOf({ topic, partition });
    if (end <= (knownEnds.get(key) ?? 0)) return;
    knownEnds.set(key, end);
    intervalMs = embeddedLogLimits.pollActiveMs;
    for (const waiter of waiters) {
      if (keyOf(waiter) === key && end > waiter.end) waiter.wake();
    }
  }

  function schedule(): void {
    if (timer !== undefined || looking || waiters.size === 0) return;
    timer = setTimeout(() => void poll(), intervalMs);
  }

  async function poll(): Promise<void> {
    timer = undefined;
    looking = true;
    intervalMs = Math.min(embeddedLogLimits.pollIdleMs, intervalMs * embeddedLogLimits.pollGrowth);
    try {
      const waited = new Map([...waiters].map((waiter) => [keyOf(waiter), waiter]));
      for (const end of await look([...waited.values()])) advance(end);
    } catch (error) {
      for (const waiter of waiters) waiter.fail(error);
    } finally {
      looking = false;
      schedule();
    }
  }

  return {
    async waitAbove(from, waitMs, signal) {
      if (closed) throw closed;
      signal.throwIfAborted();
      if (waitMs <= 0 || (knownEnds.get(keyOf(from)) ?? 0) > from.end) return;
      const waiting = joinWaiters(waiters, from, { waitMs, signal });
      schedule();
      await waiting;
    },
    advance,
    close(reason) {
      closed = reason;
      clearTimeout(timer);
      timer = undefined;
      for (const waiter of waiters) waiter.fail(reason);
    },
  };
}

/** Leaves the set however its wait ends. */
function joinWaiters(waiters: Set<Waiter>, from: PartitionEnd, until: { readonly waitMs: number; readonly signal: AbortSignal }): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      clearTimeout(deadline);
      waiters.delete(waiter);
      until.signal.removeEventListener("abort", abort);
    };
    const wake = (): void => {
      leave();
      resolve();
    };
    const fail = (error: unknown): void => {
      leave();
      reject(error);
    };
    const abort = (): void => fail(until.signal.reason);
    const waiter: Waiter = { ...from, wake, fail };
    const deadline = setTimeout(wake, until.waitMs);
    until.signal.addEventListener("abort", abort, { once: true });
    waiters.add(waiter);
  });
}

function keyOf({ topic, partition }: Pick<PartitionEnd, "topic" | "partition">): string {
  return `${topic}/${partition}`;
}
