/**
 * Tells waiting streams and reads of this process that something they follow may have changed.
 *
 * Wakes are coalesced: a slow reader owes one look, however much happened. What changed is read from the tables, so a
 * wake too many costs a query and a lost one is made good by the waiter's own recheck. Bounded.
 */
import { apiError } from "@ridegrid/rpc";

/** `key` is `ride:<id>`, `driver:<id>` or `market:<id>`. */
export type WatchKey = `ride:${string}` | `driver:${string}` | `market:${string}`;

export interface Subscription {
  /**
   * Resolves true at a wake since the last call, false after `timeoutMs`.
   * @throws DRAINING when the process stops, or the signal's reason.
   */
  next(timeoutMs: number, signal: AbortSignal): Promise<boolean>;
  close(): void;
}

export interface Wakeups {
  /** From here on no wake is missed. @throws OVERLOADED above the bound. */
  subscribe(key: WatchKey): Subscription;
  wake(key: WatchKey): void;
  wakeAll(): void;
  size(): number;
  /** Ends every waiter, and every later one at once. */
  close(): void;
}

type Waiter = { woken: boolean; notify: (() => void) | null };

export function createWakeups({ max }: { readonly max: number }): Wakeups {
  const waiters = new Map<WatchKey, Set<Waiter>>();
  let size = 0;
  let closed = false;

  const wake = (waiter: Waiter): void => {
    waiter.woken = true;
    waiter.notify?.();
  };
  return {
    subscribe(key) {
      if (closed) throw draining();
      if (size >= max) throw apiError("OVERLOADED", `Cannot watch: this process has ${size} watchers, at most ${max} are allowed`);
      const waiter: Waiter = { woken: false, notify: null };
      const ofKey = waiters.get(key) ?? new Set();
      waiters.set(key, ofKey.add(waiter));
      size++;
      return {
        async next(timeoutMs, signal) {
          signal.throwIfAborted();
          if (!waiter.woken && !closed) await pause(waiter, timeoutMs, signal);
          signal.throwIfAborted();
          if (closed) throw draining();
          const { woken } = waiter;
          waiter.woken = false;
          return woken;
        },
        close() {
          if (!ofKey.delete(waiter)) return;
          size--;
          if (ofKey.size === 0 && waiters.get(key) === ofKey) waiters.delete(key);
        },
      };
    },
    wake(key) {
      waiters.get(key)?.forEach(wake);
    },
    wakeAll() {
      for (const ofKey of waiters.values()) ofKey.forEach(wake);
    },
    size: () => size,
    close() {
      closed = true;
      for (const ofKey of waiters.values()) for (const waiter of ofKey) waiter.notify?.();
    },
  };
}

async function pause(waiter: Waiter, timeoutMs: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      waiter.notify = null;
      resolve();
    };
    const timer = setTimeout(done, timeoutMs);
    signal.addEventListener("abort", done);
    waiter.notify = done;
  });
}

function draining(): Error {
  return apiError("DRAINING", "This process is stopping; the stream goes on elsewhere from its cursor");
}
