/**
 * What a relay costs while a writing transaction stays open for long, counted and not timed: nothing grows with what has
 * come since it began, neither the rows that a batch reads nor the versions of the cursor's row.
 */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { createTestContext, createTestDatabase, eventually, type TestDatabase } from "@ridegrid/testing";
import type { Pool } from "./dependencies.ts";
import { createEmbeddedEventLog } from "./event-log.embedded.ts";
import { appendOutbox, type OutboxRow } from "./outbox.ts";
import { rowsOfBatch } from "./relay-batch.ts";
import { anyNotVisibleIn } from "./relay-cursor.ts";
import { createRelay } from "./relay.ts";
import { applyEventLogMigrations } from "./test-programs/apply-migrations.ts";

const coldStartMs = 30_000;
const topicName = "ride-events.v1";
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

test("a batch reads its own rows only, however many came since the oldest open transaction began", async () => {
  const long = await openWriting();
  await appendOutbox(sql, events(before));
  const from = await snapshot();
  for (let each = 0; each < inBatch; each++) await appendOutbox(sql, events(1));
  const to = await snapshot();
  await appendOutbox(sql, events(since));

  const batch = { homeRegion: "ewr", from, to, lastId: 0 };
  const read = await rowsTouched(sql`SELECT id FROM ${rowsOfBatch(sql, batch)} AS batch ORDER BY id`);
  const looked = await rowsTouched(sql`SELECT ${anyNotVisibleIn(sql, "ewr", to)}`);
  console.log(`relay: of ${before + inBatch + since} rows since the open transaction began, a batch of ${inBatch} touched ${read}, a look ${looked}`);
  expect(read).toBeGreaterThanOrEqual(inBatch);
  // Each row once in the index and once in the table.
  expect(read).toBeLessThanOrEqual(2 * inBatch + 2);
  // The newest row of each partition, and the one that is open.
  expect(looked).toBeLessThanOrEqual(2 + partitionsMade);
  await long.end();
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

type PlanNode = {
  readonly "Node Type": string;
  readonly "Actual Rows": number;
  readonly "Rows Removed by Filter"?: number;
  readonly "Rows Removed by Index Recheck"?: number;
  readonly Plans?: readonly PlanNode[];
};

/** Table rows and index entries that the statement's scans went through, those thrown away included. */
async function rowsTouched(statement: ReturnType<Pool>): Promise<number> {
  const [explained] = await sql<{ "QUERY PLAN": readonly [{ readonly Plan: PlanNode }] }[]>`EXPLAIN (ANALYZE, FORMAT JSON) ${statement}`;
  if (explained === undefined) throw new Error("Cannot explain the statement: no answer");
  const touched = (node: PlanNode): number =>
    (node["Node Type"].endsWith("Scan") ? node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0) + (node["Rows Removed by Index Recheck"] ?? 0) : 0) +
    (node.Plans ?? []).reduce((sum, child) => sum + touched(child), 0);
  return touched(explained["QUERY PLAN"][0].Plan);
}

function events(count: number): readonly OutboxRow[] {
  return Array.from({ length: count }, (_, index) => event(`ride-${index}`));
}

function event(key: string): OutboxRow {
  return { homeRegion: "ewr", topic: topicName, partition: 0, key, eventId: Bun.randomUUIDv7(), payload: new TextEncoder().encode(key), headers: {} };
}
