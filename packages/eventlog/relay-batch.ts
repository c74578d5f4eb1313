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
import { orAbort } from "./waiting.ts";

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

/** Rows as one JSON array of all their columns but the payload, and the payloads end to end. */
type Pack = { readonly columns: string; readonly payloads: string };

/** The rows of `packRows` ids in one: for the driver a row, and a column of it, costs more than what is in it. */
function readPacks(sql: Pool, bounds: BatchBounds, packRows: number) {
  return sql<Pack[]>`
    SELECT '[' || string_agg(id || ',' || octet_length(payload) || ',' || to_json(topic || '/' || partition) || ',"' || event_id || '",' || to_json(key) || ',' || headers, ',') || ']' AS columns,
      encode(string_agg(payload, ''), 'base64') AS payloads
    FROM (
      SELECT id / ${packRows}::bigint AS pack, id, topic, partition, event_id, key, headers, payload FROM ${rowsOfBatch(sql, bounds)} AS batch
      UNION ALL SELECT ${endMark}::bigint, ${endMark}::bigint, '', 0, '00000000-0000-0000-0000-000000000000', '', '{}', ''
      ORDER BY pack, id
    ) AS rows
    GROUP BY pack ORDER BY pack`;
}

type PackedRow = [id: number, bytes: number, target: string, eventId: string, key: string, headers: Record<string, string>];
const packedColumns = 6;

/** @throws when the rows are out of order: that the database puts them together as they are sorted is its habit, no promise. */
function unpack(pack: Pack): readonly OutboxRecord[] {
  const values: PackedRow[number][] = JSON.parse(pack.columns);
  const payloads = Buffer.from(pack.payloads, "base64");
  const rows: OutboxRecord[] = [];
  let end = 0;
  let before = 0;
  for (let at = 0; at < values.length; at += packedColumns) {
    const [id, bytes, target, eventId, key, headers] = values.slice(at, at + packedColumns) as PackedRow;
    if (id <= before) throw new Error(`Cannot relay: row ${id} of the outbox came after row ${before}`);
    before = id;
    headers["event-id"] = eventId;
    headers["outbox-id"] = String(id);
    rows.push({ id, target, key, value: payloads.subarray(end, (end += bytes)), headers });
  }
  return rows;
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
