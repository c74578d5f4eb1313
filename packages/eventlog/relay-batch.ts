/**
 * Reads the rows of one batch once, in id order, through a database cursor, and says for certain that it saw the last.
 *
 * A driver that loses its connection between two pages reports the end of the rows instead of an error; the batch
 * therefore ends with a row of its own, and without it was not read to its end.
 */
import type { Pool, Queryable } from "./dependencies.ts";
import type { LogRecord } from "./event-log.ts";
import { type RelayLimits, relayReads } from "./limits.ts";
import { openIn } from "./relay-cursor.ts";
import { orAbort, untilWritten } from "./waiting.ts";

export type OutboxRecord = LogRecord & {
  readonly id: number;
  /** "<topic>/<partition>". */
  readonly target: string;
};

export type BatchBounds = { readonly homeRegion: string; readonly from: string; readonly to: string; readonly lastId: number };
export type BatchRequest = BatchBounds & { readonly limits: Pick<RelayLimits, "pageRows" | "pageBytes"> };
export type BatchPage = { readonly rows: readonly OutboxRecord[]; readonly last: boolean };

/** Above every id that a sequence reaches and still a safe integer. */
const endMark = Number.MAX_SAFE_INTEGER;

/** @throws when the rows ended before the batch did. */
export async function* readBatch(sql: Pool, request: BatchRequest, signal: AbortSignal): AsyncGenerator<BatchPage> {
  const pages = readPages(sql, request);
  let next = nextOf(pages);
  try {
    for (;;) {
      const { value: page, done } = await orAbort(next, signal);
      if (done) throw new Error(`Cannot read the outbox of region "${request.homeRegion}": the connection ended in the middle of a batch`);
      // The next page is read while this one is sent.
      if (!page.last) next = nextOf(pages);
      if (page.rows.length > 0) yield page;
      if (page.last) return;
    }
  } finally {
    // A page that is still on its way would otherwise keep its connection for ever.
    void next.catch(() => {}).then(() => pages.return(undefined));
  }
}

/** A page ends with the read in which it reaches one of its bounds. */
async function* readPages(sql: Pool, { limits, ...bounds }: BatchRequest): AsyncGenerator<BatchPage, undefined> {
  const packRows = Math.ceil(limits.pageRows / relayReads.packsPerPage);
  const reads = readPacks(sql, bounds, packRows).cursor(relayReads.packsPerRead)[Symbol.asyncIterator]();
  let next = nextOf(reads);
  let rows: OutboxRecord[] = [];
  let bytes = 0;
  try {
    for (;;) {
      const { value: packs, done } = await next;
      if (done) return;
      // The server puts the next packs together while these are taken apart.
      next = nextOf(reads);
      await untilWritten();
      for (const pack of packs) {
        rows.push(...unpack(pack));
        bytes += pack.payloads.length;
      }
      const last = rows.at(-1)?.id === endMark;
      if (last) rows.pop();
      if (!last && rows.length < limits.pageRows && bytes < limits.pageBytes) continue;
      yield { rows, last };
      [rows, bytes] = [[], 0];
    }
  } finally {
    void next.catch(() => {}).then(() => reads.return?.());
  }
}

/** Rows column by column, and their payloads end to end. */
type Pack = {
  readonly ids: readonly number[];
  readonly sizes: readonly number[];
  readonly targets: readonly string[];
  readonly eventIds: readonly string[];
  readonly keys: readonly string[];
  readonly headers: readonly Record<string, string>[];
  readonly payloads: string;
};

/** The rows of `packRows` ids in one: for the driver a row, and a column of it, costs more than what is in it. */
function readPacks(sql: Pool, bounds: BatchBounds, packRows: number) {
  return sql<Pack[]>`
    SELECT json_agg(id) AS ids, json_agg(octet_length(payload)) AS sizes, json_agg(topic || '/' || partition) AS targets,
      json_agg(event_id) AS "eventIds", json_agg(key) AS keys, json_agg(headers) AS headers, encode(string_agg(payload, ''), 'base64') AS payloads
    FROM (
      SELECT id / ${packRows}::bigint AS pack, id, topic, partition, event_id, key, headers, payload FROM ${rowsOfBatch(sql, bounds)} AS batch
      UNION ALL SELECT ${endMark}::bigint, ${endMark}::bigint, '', 0, '00000000-0000-0000-0000-000000000000', '', '{}', ''
      ORDER BY pack
    ) AS rows
    GROUP BY pack ORDER BY pack`;
}

function unpack({ ids, sizes, targets, eventIds, keys, headers, ...pack }: Pack): OutboxRecord[] {
  const payloads = Buffer.from(pack.payloads, "base64");
  const rows: OutboxRecord[] = [];
  let end = 0;
  for (let at = 0; at < ids.length; at++) {
    const id = ids[at]!;
    const all = headers[at]!;
    all["event-id"] = eventIds[at]!;
    all["outbox-id"] = String(id);
    rows.push({ id, target: targets[at]!, key: keys[at]!, value: payloads.subarray(end, (end += sizes[at]!)), headers: all });
  }
  return rows.sort((one, other) => one.id - other.id);
}

/**
 * By index in every partition; what it reads does not grow with what came before `from` or since `to`, whenever its plan
 * was made: rows of later transactions and of those that were open in `from` are asked for apart, for one OR is asked of
 * every row of the region.
 */
export function rowsOfBatch(sql: Queryable, { homeRegion, from, to, lastId }: BatchBounds) {
  const inBatch = sql`home_region = ${homeRegion} AND id > ${lastId}::bigint AND pg_visible_in_snapshot(xid, ${to}::text::pg_snapshot)`;
  return sql`(
    SELECT * FROM outbox WHERE ${inBatch} AND xid >= pg_snapshot_xmax(${from}::text::pg_snapshot) AND xid < pg_snapshot_xmax(${to}::text::pg_snapshot)
    UNION ALL SELECT late.* FROM ${openIn(sql, from)} CROSS JOIN LATERAL (SELECT * FROM outbox WHERE ${inBatch} AND xid = open_xid OFFSET 0) AS late)`;
}

/** One that fails before anybody waits for it fails whoever does. */
function nextOf<T>(reads: AsyncIterator<T>): Promise<IteratorResult<T>> {
  const next = Promise.resolve(reads.next());
  next.catch(() => {});
  return next;
}
