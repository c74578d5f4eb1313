/**
 * Sends one batch of the outbox to a region's log: page after page in id order, the partitions of a page side by side,
 * each partition one awaited append at a time. While the log fails it keeps the batch and tries again with jitter.
 */
import type { HostContext, Pool } from "./dependencies.ts";
import type { EventLog } from "./event-log.ts";
import type { RelayLimits } from "./limits.ts";
import { splitToAppends } from "./record-codec.ts";
import { type OutboxRecord, readBatch } from "./relay-batch.ts";
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
    for (let failures = 0; ;) {
      try {
        for await (const { rows, last } of readBatch(sql, { ...batch, homeRegion, lastId, limits }, signal)) {
          await sendPage(deps, rows, acknowledged, signal);
          failures = 0;
          lastId = rows.at(-1)?.id ?? lastId;
          sent += rows.length;
          await deps.onPageSent({ rows: rows.length, lastId, more: !last }, batch);
        }
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

/** What one partition has acknowledged is not sent again when another fails. */
async function sendPage(deps: BatchSenderDeps, page: readonly OutboxRecord[], acknowledged: Map<string, number>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const sends = [...Map.groupBy(page, ({ target }) => target)].map(async ([target, rows]) => {
    const already = acknowledged.get(target) ?? 0;
    for (const append of splitToAppends(rows.filter((row) => row.id > already))) acknowledged.set(target, await sendAppend(deps, target, append));
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
