/**
 * Reads the rows of one batch once, in id order, through a database cursor, and says for certain that it saw the last.
 *
 * A driver that loses its connection between two pages reports the end of the rows instead of an error; the batch
 * therefore ends with a row of its own, and without it was not read to its end.
 */
import type { Pool, Queryable } from "./dependencies.ts";
import { orAbort } from "./waiting.ts";

/** Five columns of a row's seven: for the driver a column costs more than what is in it. */
export type OutboxRecord = {
  readonly id: number;
  /** "<topic>/<partition>". */
  readonly target: string;
  /** The event's id, 36 characters, and then the key. */
  readonly eventIdAndKey: string;
  readonly payload: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
};

export type BatchBounds = { readonly homeRegion: string; readonly from: string; readonly to: string; readonly lastId: number };
export type BatchRequest = BatchBounds & { readonly pageRows: number };

/** Above every id that a sequence reaches and still a safe integer. */
const endMark = Number.MAX_SAFE_INTEGER;

/** @throws when the rows ended before the batch did. */
export async function* readBatch(sql: Pool, request: BatchRequest, signal: AbortSignal): AsyncGenerator<readonly OutboxRecord[]> {
  const query = sql<OutboxRecord[]>`
    SELECT id::float8 AS id, topic || '/' || partition AS target, event_id || key AS "eventIdAndKey", payload, headers
    FROM ${rowsOfBatch(sql, request)} AS batch
    UNION ALL SELECT ${endMark}::bigint::float8, '', '', NULL, NULL
    ORDER BY id`;
  const pages = query.cursor(request.pageRows)[Symbol.asyncIterator]();
  let next = nextPage(pages);
  try {
    for (;;) {
      const { value, done } = await orAbort(next, signal);
      if (done) throw new Error(`Cannot read the outbox of region "${request.homeRegion}": the connection ended in the middle of a batch`);
      const complete = value.at(-1)?.id === endMark;
      const rows = complete ? value.slice(0, -1) : value;
      // The server reads the next page while this one is sent.
      if (!complete) next = nextPage(pages);
      if (rows.length > 0) yield rows;
      if (complete) return;
    }
  } finally {
    // A page that is still on its way would otherwise keep its connection for ever.
    void next.catch(() => {}).then(() => pages.return?.());
  }
}

/**
 * By index in every partition; what it reads does not grow with what came before `from` or since `to`. Rows of later
 * transactions and of those that were open in `from` are asked for apart: asked for by one OR, a plan that is made before
 * the parameters are known walks every row of the region.
 */
export function rowsOfBatch(sql: Queryable, { homeRegion, from, to, lastId }: BatchBounds) {
  const inBatch = sql`home_region = ${homeRegion} AND id > ${lastId}::bigint AND pg_visible_in_snapshot(xid, ${to}::text::pg_snapshot)`;
  return sql`(
    SELECT * FROM outbox WHERE ${inBatch} AND xid >= pg_snapshot_xmax(${from}::text::pg_snapshot) AND xid < pg_snapshot_xmax(${to}::text::pg_snapshot)
    UNION ALL SELECT * FROM outbox WHERE ${inBatch} AND xid = ANY (ARRAY(SELECT pg_snapshot_xip(${from}::text::pg_snapshot))))`;
}

/** One that fails before anybody waits for it fails whoever does. */
function nextPage<T>(pages: AsyncIterator<T>): Promise<IteratorResult<T>> {
  const page = Promise.resolve(pages.next());
  page.catch(() => {});
  return page;
}
