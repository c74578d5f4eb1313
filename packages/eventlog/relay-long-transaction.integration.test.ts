/**
 * What a relay costs while a writing transaction stays open for long, counted and not timed: nothing grows with what has
 * come since it began, neither the rows that a batch reads nor the versions of the cursor's row.
 */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { createTestContext, createTestDatabase, eventually, type TestDatabase } from "@ridegrid/testing";
import type { Pool, Queryable } from "./dependencies.ts";
import { createEmbeddedEventLog } from "./event-log.embedded.ts";
import { appendOutbox, type OutboxRow } from "./outbox.ts";
import { rowsOfBatch } from "./relay-batch.ts";
import { anyNotVisibleIn } from "./relay-cursor.ts";
import { createRelay } from "./relay.ts";
import { applyEventLogMigrations } from "./test-programs/apply-migrations.ts";

const coldStartMs = 30_000;
const topicName = "ride-events.v1";
const few = 10;
const before = 20_000;
const inBatch = 50;
const since = 5_000;
/** By the migration: for now and six to come. */
const partitionsMade = 7;

let database: TestDatabase;
let sql: Pool;

beforeEach(async () => {
  database = await createTestDatabase();
  sql = database.sql();
  await applyEventLogMigrations(sql);
}, coldStartMs);

afterEach(() => database.drop());

test("a batch reads its own rows only, however many came since the oldest open transaction began, by a plan kept from when there were few", async () => {
  const reader = await database.sql({ max: 1 }).reserve();
  await reader`SET plan_cache_mode = force_generic_plan`;
  const read = (from: string, to: string) => reader`SELECT id FROM ${rowsOfBatch(reader, { homeRegion: "ewr", from, to, lastId: 0 })} AS batch ORDER BY id`;
  const look = (from: string) => reader`SELECT ${anyNotVisibleIn(reader, "ewr", from)} AS found`;
  await appendOutbox(sql, events(few));
  await read("3:3:", "3:3:");
  await look("3:3:");

  const long = await openWriting();
  await appendOutbox(sql, events(before));
  const from = await snapshot();
  for (let each = 0; each < inBatch; each++) await appendOutbox(sql, events(1));
  const to = await snapshot();
  const lookedAtNone = await rowsFetched(reader, () => look(to));
  await appendOutbox(sql, events(since));

  const inRead = await rowsFetched(reader, () => read(from, to));
  const looked = await rowsFetched(reader, () => look(to));
  console.log(
    `relay: of ${before + inBatch + since} rows since the open transaction began, a batch of ${inBatch} fetched ${inRead}, a look ${looked}, one that found nothing ${lookedAtNone}`,
  );
  expect(inRead).toBeGreaterThanOrEqual(inBatch);
  expect(inRead).toBeLessThanOrEqual(inBatch + 1);
  // The newest row of each partition, and the one that is open.
  for (const rows of [looked, lookedAtNone]) expect(rows).toBeLessThanOrEqual(1 + partitionsMade);
  await long.end();
  reader.release();
});

test("the cursor is not written at every batch, because its old versions stay while the transaction does", async () => {
  const batches = 60;
  await countMoves();
  const long = await openWriting();
  const log = createEmbeddedEventLog({ sql, clock: { nowMs: () => Date.now() } });
  await log.ensureTopics([{ topic: `ewr.${topicName}`, partitions: 1, retentionMs: 3_600_000 }]);
  const limits = { moveEveryMs: 600_000 };
  const relay = createRelay({ context: createTestContext(), sql: database.sql({ max: 4 }), writer: "test", regions: ["ewr"], eventLog: () => log, limits });
  await relay.start();
  for (let sent = 1; sent <= batches; sent++) {
    await appendOutbox(sql, events(1));
    relay.poke("ewr");
    await eventually(async () => (await log.bounds(`ewr.${topicName}`, 0)).end === sent);
  }
  const [during] = await sql<{ moves: number }[]>`SELECT count(*)::int AS moves FROM cursor_move`;
  await relay.stop();
  const [after] = await sql<
    { sent: boolean }[]
  >`SELECT bool_and(pg_visible_in_snapshot(xid, snap_from)) AS sent FROM outbox, outbox_cursor WHERE key <> 'open'`;
  console.log(`relay: ${batches} batches under an open transaction, ${during?.moves} writes of the cursor`);
  expect(during?.moves).toBeLessThanOrEqual(2);
  // A clean stop stores the place, so that the next owner repeats nothing.
  expect(after?.sent).toBe(true);
  await long.end();
  await log.close();
});

/** A transaction that has written an outbox row and goes on. */
async function openWriting(): Promise<{ end(): Promise<void> }> {
  const connection = await database.sql({ max: 1, idleInTransactionTimeoutMs: 0 }).reserve();
  await connection`BEGIN`;
  await appendOutbox(connection, [event("open")]);
  return {
    async end() {
      await connection`ROLLBACK`;
      connection.release();
    },
  };
}

async function countMoves(): Promise<void> {
  await sql`CREATE TABLE cursor_move (move_time timestamptz NOT NULL DEFAULT clock_timestamp())`;
  await sql.unsafe(`CREATE FUNCTION count_move() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO cursor_move DEFAULT VALUES; RETURN NEW; END';
    CREATE TRIGGER count_moves AFTER UPDATE OF snap_from, snap_to, last_id ON outbox_cursor FOR EACH ROW EXECUTE FUNCTION count_move()`);
}

async function snapshot(): Promise<string> {
  const [row] = await sql<{ now: string }[]>`SELECT pg_current_snapshot()::text AS now`;
  return row?.now ?? "";
}

/** Rows of the outbox that the statement's scans fetched, those thrown away included. */
async function rowsFetched(reader: Queryable, run: () => Promise<unknown>): Promise<number> {
  const fetched = async (): Promise<number> => {
    const [row] = await reader<{ rows: number }[]>`
      SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::float8 AS rows FROM pg_stat_xact_user_tables WHERE relname LIKE 'outbox_p%'`;
    return row?.rows ?? Number.NaN;
  };
  await reader`BEGIN`;
  const already = await fetched();
  await run();
  const rows = (await fetched()) - already;
  await reader`COMMIT`;
  return rows;
}

function events(count: number): readonly OutboxRow[] {
  return Array.from({ length: count }, (_, index) => event(`ride-${index}`));
}

function event(key: string): OutboxRow {
  return { homeRegion: "ewr", topic: topicName, partition: 0, key, eventId: Bun.randomUUIDv7(), payload: new TextEncoder().encode(key), headers: {} };
}
