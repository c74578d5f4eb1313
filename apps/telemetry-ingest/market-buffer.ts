/**
 * Positions of one market on their way to the log: gathered for a tenth of a second, the newest of each driver, then
 * one append. One append at a time, so that a partition sees batches in order (one that timed out may land late).
 *
 * Its promises settle when the fate is known: durable, or not known to be. After a failure what waits behind it fails too.
 */
import type { EventLog, LogRecord } from "@ridegrid/eventlog";
import { appendTimeoutMs, driversPerFlushMax, flushIntervalMs } from "./limits.ts";
import type { ReceivedPosition } from "./judge-position.ts";

export interface MarketBuffer {
  /** Settles when this position, or a newer one of the driver's in its place, is durable; null when there is no room. */
  add(driverId: string, position: ReceivedPosition): Promise<void> | null;
  /** Appends what waits without waiting for more, and settles with it. Never rejects. */
  drain(): Promise<void>;
}

export type MarketBufferDeps = {
  readonly eventLog: EventLog;
  readonly topic: string;
  readonly partition: number;
  readonly encode: (positions: ReadonlyMap<string, ReceivedPosition>) => readonly LogRecord[];
  readonly onDurable: (positions: ReadonlyMap<string, ReceivedPosition>) => void;
  readonly onFailed: (positions: ReadonlyMap<string, ReceivedPosition>, cause: unknown) => void;
};

type Batch = { readonly positions: Map<string, ReceivedPosition>; readonly done: PromiseWithResolvers<void> };

export function createMarketBuffer(deps: MarketBufferDeps): MarketBuffer {
  let waiting: Batch | null = null;
  let appending: Promise<void> | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    if (waiting === null || appending !== null) return;
    const batch = waiting;
    waiting = null;
    appending = send(batch).finally(() => {
      appending = null;
      // What gathered meanwhile has waited long enough.
      flush();
    });
  }

  async function send(batch: Batch): Promise<void> {
    try {
      await withDeadline(appendAll(deps.encode(batch.positions)));
      deps.onDurable(batch.positions);
      batch.done.resolve();
    } catch (cause) {
      fail(batch, cause);
      // Whoever waits behind a log that is away would wait a full timeout more for the same answer.
      if (waiting !== null) fail(waiting, cause);
      waiting = null;
    }
  }

  /** One record an append: a flush of everybody is larger than the log takes at once. */
  async function appendAll(records: readonly LogRecord[]): Promise<void> {
    for (const record of records) await deps.eventLog.append(deps.topic, deps.partition, [record]);
  }

  function fail(batch: Batch, cause: unknown): void {
    deps.onFailed(batch.positions, cause);
    batch.done.reject(new Error(`Cannot append ${batch.positions.size} positions to ${deps.topic}/${deps.partition}`, { cause }));
  }

  return {
    add(driverId, position) {
      waiting ??= createBatch();
      if (waiting.positions.size >= driversPerFlushMax && !waiting.positions.has(driverId)) return null;
      waiting.positions.set(driverId, position);
      if (appending === null) timer ??= setTimeout(flush, flushIntervalMs);
      return waiting.done.promise;
    },
    async drain() {
      while (waiting !== null || appending !== null) {
        flush();
        await appending;
      }
    },
  };
}

function createBatch(): Batch {
  const done = Promise.withResolvers<void>();
  // Everybody who waits handles it; nobody may be waiting any more.
  done.promise.catch(() => {});
  return { positions: new Map(), done };
}

async function withDeadline(append: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`the log did not answer within ${appendTimeoutMs} ms`)), appendTimeoutMs);
  append.catch(() => {});
  try {
    await Promise.race([append, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
