/** Deletes what has served its time, in bounded batches: request ids after a day, quotes some time after they expired. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger, Sql } from "@ridegrid/runtime";
import { cleanupBatchMax, cleanupEveryMs, quoteKeptMs, requestKeptMs } from "./limits.ts";

interface Cleanup {
  start(): void;
  stop(): Promise<void>;
}

export function createCleanup({ sql, logger }: { readonly sql: Sql; readonly logger: Logger }): Cleanup {
  const stopping = new AbortController();
  let work: Promise<void> = Promise.resolve();

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await cleanUp(sql).catch((error: unknown) => logger.warn({ error }, "Cannot delete old request ids and quotes; trying again"));
      await sleep(cleanupEveryMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  return {
    start() {
      work = run();
    },
    async stop() {
      stopping.abort();
      await work;
    },
  };
}

/** Answers how many rows went; stops at the first batch that is not full. */
export async function cleanUp(sql: Sql): Promise<number> {
  const requests = await inBatches(async () => {
    const deleted = await sql`
      DELETE FROM request WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM request WHERE create_time < statement_timestamp() - ${requestKeptMs}::float8 * interval '1 ms' ORDER BY create_time LIMIT ${cleanupBatchMax}))`;
    return deleted.count;
  });
  const quotes = await inBatches(async () => {
    const deleted = await sql`
      DELETE FROM fare_quote WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM fare_quote WHERE expire_time < statement_timestamp() - ${quoteKeptMs}::float8 * interval '1 ms' ORDER BY expire_time LIMIT ${cleanupBatchMax}))`;
    return deleted.count;
  });
  return requests + quotes;
}

async function inBatches(deleteBatch: () => Promise<number>): Promise<number> {
  let deleted = 0;
  for (;;) {
    const count = await deleteBatch();
    deleted += count;
    if (count < cleanupBatchMax) return deleted;
  }
}
