/**
 * The relay of one home region: takes its lease, sends batch after batch while it holds it, and waits without writing
 * when there is nothing. A log that is away keeps the batch and delays this region only.
 *
 * A zombie (paused for longer than its lease) can only repeat rows that the new owner repeats too, each in order.
 */
import type { HostContext, Pool } from "./dependencies.ts";
import type { EventLog, LogRecord } from "./event-log.ts";
import type { RelayLimits } from "./limits.ts";
import { splitToAppends } from "./record-codec.ts";
import { type OutboxRecord, readBatch } from "./relay-batch.ts";
import { type BatchWindow, createRelayCursor, type RelayCursor, type Tenure } from "./relay-cursor.ts";
import { pause, retryDelayMs, withDeadline } from "./waiting.ts";

export type RelayState = {
  readonly region: string;
  readonly owner: boolean;
  readonly rowsSent: number;
  readonly takeovers: number;
  readonly fenced: number;
  /** The last failure while it lasts; empty when the relay works or waits. */
  readonly failing: string;
};

export interface RegionRelay {
  run(stopping: AbortSignal): Promise<void>;
  poke(): void;
  state(): RelayState;
}

export type RegionRelayDeps = {
  readonly context: Pick<HostContext, "processId" | "random" | "logger">;
  readonly sql: Pool;
  readonly homeRegion: string;
  readonly eventLog: EventLog;
  readonly limits: RelayLimits;
};

class Fenced extends Error {
  override readonly name = "Fenced";
}

export function createRegionRelay(deps: RegionRelayDeps): RegionRelay {
  const { context, sql, homeRegion, limits } = deps;
  const cursor = deadlined(createRelayCursor(sql, limits.leaseMs), limits.statementMs);
  const wake = createWake();
  let state: RelayState = { region: homeRegion, owner: false, rowsSent: 0, takeovers: 0, fenced: 0, failing: "" };

  async function run(stopping: AbortSignal): Promise<void> {
    for (let failures = 0; !stopping.aborted; ) {
      try {
        const taken = await cursor.take(homeRegion, context.processId);
        failures = 0;
        if (taken) await serve(taken, stopping);
        else await pause(limits.renewMs, stopping);
      } catch (error) {
        state = { ...state, owner: false, failing: String(error) };
        context.logger.warn({ error, region: homeRegion }, `Cannot relay region "${homeRegion}"; trying again`);
        await pause(retryDelayMs(failures++, limits, context.random), stopping);
      }
    }
  }

  /** From taking the lease to losing it, giving it back, or a fault of the database. */
  async function serve(taken: Tenure & BatchWindow, stopping: AbortSignal): Promise<void> {
    state = { ...state, owner: true, takeovers: state.takeovers + 1, failing: "" };
    const lost = new AbortController();
    const signal = AbortSignal.any([lost.signal, stopping]);
    const renewal = setInterval(() => {
      cursor.renew(taken).then((held) => held || lost.abort(new Fenced()), () => {});
    }, limits.renewMs);
    try {
      await sendBatches(taken, signal);
    } catch (error) {
      if (!(error instanceof Fenced || signal.aborted)) throw error;
      if (error instanceof Fenced) lost.abort(error);
    } finally {
      clearInterval(renewal);
      state = { ...state, owner: false };
    }
    if (lost.signal.aborted) {
      state = { ...state, fenced: state.fenced + 1 };
      context.logger.info({ region: homeRegion, epoch: taken.epoch }, `The relay of region "${homeRegion}" was taken over`);
    } else await cursor.release(taken);
  }

  async function sendBatches(taken: Tenure & BatchWindow, signal: AbortSignal): Promise<void> {
    let window: BatchWindow = taken;
    while (!signal.aborted) {
      if (window.to === null) window = await nextBatch(taken, window.from, signal);
      if (signal.aborted || window.to === null) return;
      const sent = await sendBatch(taken, { from: window.from, to: window.to, lastId: window.lastId }, signal);
      if (signal.aborted) return;
      // An empty batch is not worth a write: the window moves on in memory only, and a takeover finds it empty again.
      if (sent === 0) window = { from: window.to, to: null, lastId: 0 };
      else window = fencedUnless(await cursor.open(taken, window.to));
    }
  }

  /** Waits until there is something. After a poke there is, so the batch is fixed without looking first. */
  async function nextBatch(tenure: Tenure, after: string, signal: AbortSignal): Promise<BatchWindow> {
    let from = after;
    for (let idleMs = limits.idlePollMs; !signal.aborted; ) {
      if (await wake.wait(idleMs, signal)) return fencedUnless(await cursor.open(tenure, from));
      const { to, found } = await cursor.look(homeRegion, from);
      if (found) return fencedUnless(await cursor.open(tenure, from));
      from = to;
      idleMs = Math.min(limits.idlePollMaxMs, idleMs * 1.25);
    }
    return { from, to: null, lastId: 0 };
  }

  /** Answers how many rows the batch had. Keeps at it while the log fails, from where each partition stands. */
  async function sendBatch(tenure: Tenure, batch: { readonly from: string; readonly to: string; readonly lastId: number }, signal: AbortSignal): Promise<number> {
    const acknowledged = new Map<string, number>();
    let lastId = batch.lastId;
    let sent = 0;
    for (let failures = 0; ; ) {
      try {
        for await (const page of readBatch(sql, { ...batch, homeRegion, lastId, pageRows: limits.pageRows }, signal)) {
          await sendPage(page, acknowledged, signal);
          failures = 0;
          lastId = page.at(-1)?.id ?? lastId;
          sent += page.length;
          state = { ...state, rowsSent: state.rowsSent + page.length, failing: "" };
          if (page.length === limits.pageRows && !(await cursor.advance(tenure, lastId))) throw new Fenced();
        }
        return sent;
      } catch (error) {
        if (signal.aborted || !(error instanceof LogFailure)) throw error;
        state = { ...state, failing: String(error.cause) };
        if (failures === 0) context.logger.warn({ error: error.cause, region: homeRegion }, `Cannot append to the log of region "${homeRegion}"; keeping the batch`);
        await pause(retryDelayMs(failures++, limits, context.random), signal);
        signal.throwIfAborted();
      }
    }
  }

  /** Partitions side by side, each in order; what one partition has acknowledged is not sent again when another fails. */
  async function sendPage(page: readonly OutboxRecord[], acknowledged: Map<string, number>, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const results = await Promise.allSettled([...groupByPartition(page)].map(([target, rows]) => sendRows(target, rows, acknowledged)));
    const failed = results.find((result) => result.status === "rejected");
    if (failed) throw new LogFailure(`Cannot append to the log of region "${homeRegion}"`, { cause: failed.reason });
  }

  async function sendRows(target: string, rows: readonly OutboxRecord[], acknowledged: Map<string, number>): Promise<void> {
    const already = acknowledged.get(target) ?? 0;
    for (const append of splitToAppends(rows.filter((row) => row.id > already).map(toRecord))) {
      const [first] = append;
      if (!first) continue;
      const { topic, partition } = first;
      await withDeadline(`append to ${homeRegion}.${topic}/${partition}`, limits.appendMs, deps.eventLog.append(`${homeRegion}.${topic}`, partition, append));
      acknowledged.set(target, append.at(-1)?.id ?? already);
    }
  }

  return { run, poke: wake.poke, state: () => state };
}

class LogFailure extends Error {
  override readonly name = "LogFailure";
}

type RoutedRecord = LogRecord & { readonly id: number; readonly topic: string; readonly partition: number };

function toRecord(row: OutboxRecord): RoutedRecord {
  const headers = { ...row.headers, "event-id": row.eventId, "outbox-id": String(row.id) };
  return { id: row.id, topic: row.topic, partition: row.partition, key: row.key, value: row.payload, headers };
}

function groupByPartition(page: readonly OutboxRecord[]): Map<string, OutboxRecord[]> {
  const groups = new Map<string, OutboxRecord[]>();
  for (const row of page) {
    const target = `${row.topic}/${row.partition}`;
    const group = groups.get(target);
    if (group) group.push(row);
    else groups.set(target, [row]);
  }
  return groups;
}

function fencedUnless(window: BatchWindow | undefined): BatchWindow {
  if (!window) throw new Fenced();
  return window;
}

function deadlined(cursor: RelayCursor, ms: number): RelayCursor {
  const bound = <T>(work: Promise<T>): Promise<T> => withDeadline("move the outbox cursor", ms, work);
  return {
    take: (region, owner) => bound(cursor.take(region, owner)),
    renew: (tenure) => bound(cursor.renew(tenure)),
    advance: (tenure, lastId) => bound(cursor.advance(tenure, lastId)),
    release: (tenure) => bound(cursor.release(tenure)),
    open: (tenure, from) => bound(cursor.open(tenure, from)),
    look: (region, from) => bound(cursor.look(region, from)),
  };
}

/** A poke that comes while nobody waits is kept for the next wait. */
function createWake() {
  let poked = false;
  let wakeUp: (() => void) | undefined;
  return {
    poke(): void {
      poked = true;
      wakeUp?.();
    },
    /** True when poked. */
    async wait(ms: number, signal: AbortSignal): Promise<boolean> {
      if (!poked && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const finish = (): void => {
            clearTimeout(timer);
            signal.removeEventListener("abort", finish);
            wakeUp = undefined;
            resolve();
          };
          const timer = setTimeout(finish, ms);
          signal.addEventListener("abort", finish, { once: true });
          wakeUp = finish;
        });
      }
      const was = poked;
      poked = false;
      return was;
    },
  };
}
