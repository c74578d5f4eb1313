/**
 * Sends one batch of the outbox to a region's log: pages in id order, their partitions side by side, each partition one
 * awaited append at a time. While one page waits for the log the next is sent to partitions that have answered already.
 * While the log fails it keeps the batch and tries again with jitter.
 */
import type { HostContext, Pool } from "./dependencies.ts";
import type { EventLog } from "./event-log.ts";
import { type RelayLimits, relayReads } from "./limits.ts";
import { splitToAppends } from "./record-codec.ts";
import { type BatchPage, type OutboxRecord, readBatch } from "./relay-batch.ts";
import { pause, retryDelayMs, withDeadline } from "./waiting.ts";

export type OutboxBatch = { readonly from: string; readonly to: string; readonly lastId: number };

export type BatchSenderDeps = {
  readonly context: Pick<HostContext, "random" | "logger">;
  readonly sql: Pool;
  readonly homeRegion: string;
  readonly eventLog: EventLog;
  readonly limits: RelayLimits;
  /** After each page that is in the log: how many rows, up to which id, and whether more follow. */
  readonly onPageSent: (page: { readonly rows: number; readonly lastId: number; readonly more: boolean }, batch: OutboxBatch) => Promise<void>;
  readonly onLogFailure: (cause: unknown) => void;
};

/** Answers how many rows the batch had. Rejects when the signal aborts and when the database or `onPageSent` fails. */
export type BatchSender = (batch: OutboxBatch, signal: AbortSignal) => Promise<number>;

class LogFailure extends Error {
  override readonly name = "LogFailure";
}

export function createBatchSender(deps: BatchSenderDeps): BatchSender {
  const { context, sql, homeRegion, limits } = deps;

  return async function sendBatch(batch, signal) {
    const acknowledged = new Map<string, number>();
    let { lastId } = batch;
    let sent = 0;
    let failures = 0;

    async function pageSent({ rows, last }: BatchPage): Promise<void> {
      failures = 0;
      lastId = rows.at(-1)?.id ?? lastId;
      sent += rows.length;
      await deps.onPageSent({ rows: rows.length, lastId, more: !last }, batch);
    }

    for (;;) {
      try {
        await sendPages(deps, readBatch(sql, { ...batch, homeRegion, lastId, limits }, signal), { acknowledged, pageSent, signal });
        return sent;
      } catch (error) {
        if (signal.aborted || !(error instanceof LogFailure)) throw error;
        deps.onLogFailure(error.cause);
        if (failures === 0) context.logger.warn({ error: error.cause, region: homeRegion }, `${error.message}; keeping the batch`);
        await pause(retryDelayMs(failures++, limits, context.random), signal);
        signal.throwIfAborted();
      }
    }
  };
}

type Sending = {
  /** For each target the id up to which its rows are in the log: they are not sent again when another fails. */
  readonly acknowledged: Map<string, number>;
  readonly pageSent: (page: BatchPage) => Promise<void>;
  readonly signal: AbortSignal;
};

/** When it ends, whatever the way, nothing is on its way any more: an append that lands later would follow its own repetition. */
async function sendPages(deps: BatchSenderDeps, pages: AsyncIterable<BatchPage>, { acknowledged, pageSent, signal }: Sending): Promise<void> {
  const inFlight: { readonly page: BatchPage; readonly stored: Promise<void> }[] = [];
  const tails = new Map<string, Promise<void>>();
  const oldestStored = async (): Promise<void> => {
    const oldest = inFlight[0];
    if (oldest === undefined) return;
    await oldest.stored;
    inFlight.shift();
    await pageSent(oldest.page);
  };
  try {
    for await (const page of pages) {
      signal.throwIfAborted();
      const stored = sendPage(deps, page.rows, { acknowledged, tails });
      stored.catch(() => {});
      inFlight.push({ page, stored });
      if (inFlight.length === relayReads.pagesInFlight) await oldestStored();
    }
  } finally {
    await Promise.allSettled(tails.values());
    while (inFlight.length > 0) await oldestStored();
  }
}

type Targets = Pick<Sending, "acknowledged"> & {
  /** For each target its last append: the next begins after it, and not at all when it fails. */
  readonly tails: Map<string, Promise<void>>;
};

async function sendPage(deps: BatchSenderDeps, page: readonly OutboxRecord[], { acknowledged, tails }: Targets): Promise<void> {
  const send = async (target: string, rows: readonly OutboxRecord[], before: Promise<void> | undefined): Promise<void> => {
    await before;
    const already = acknowledged.get(target) ?? 0;
    for (const append of splitToAppends(rows.filter((row) => row.id > already))) acknowledged.set(target, await sendAppend(deps, target, append));
  };
  // All in one turn: the next page's appends must not come before these.
  const sends = [...Map.groupBy(page, ({ target }) => target)].map(([target, rows]) => {
    const sent = send(target, rows, tails.get(target));
    tails.set(target, sent);
    return sent;
  });
  const failed = (await Promise.allSettled(sends)).find((result) => result.status === "rejected");
  if (failed) throw new LogFailure(`Cannot append to the log of region "${deps.homeRegion}"`, { cause: failed.reason });
}

/** Answers the id of the last row, now in the log. */
async function sendAppend({ homeRegion, eventLog, limits }: BatchSenderDeps, target: string, append: readonly OutboxRecord[]): Promise<number> {
  const last = append.at(-1);
  if (!last) throw new Error(`Cannot append to the log of region "${homeRegion}": no rows`);
  const slash = target.lastIndexOf("/");
  const topic = `${homeRegion}.${target.slice(0, slash)}`;
  const partition = Number(target.slice(slash + 1));
  await withDeadline(`append to ${topic}/${partition}`, limits.appendMs, eventLog.append(topic, partition, append));
  return last.id;
}
