/**
 * The outbox's disk: partitions are made ahead and dropped on time by a clock that the test moves, never one whose rows a
 * cursor still needs, never in a writer's way; and at its bounds it says that it is full.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createManualClock, createTestContext, createTestDatabase, eventually, type TestDatabase } from "@ridegrid/testing";
import type { Pool } from "./dependencies.ts";
import { createEmbeddedEventLog } from "./event-log.embedded.ts";
import type { EventLog } from "./event-log.ts";
import { outboxLimits } from "./limits.ts";
import { readOutboxBacklog } from "./outbox-depth.ts";
import { maintainOutboxPartitions } from "./outbox-partitions.ts";
import { appendOutbox, type OutboxRow } from "./outbox.ts";
import { createRelay, type Relay } from "./relay.ts";
import { applyEventLogMigrations } from "./test-programs/apply-migrations.ts";

/** The first test of a run may have to start the server, on a busy machine. */
const coldStartMs = 30_000;
const topic = "ride-events.v1";
const regions = ["ewr", "lhr"];
const keptPartitions = outboxLimits.keepMs / outboxLimits.partitionMs;

let database: TestDatabase;
let sql: Pool;
let log: EventLog;
let relay: Relay | undefined;
/** Regions whose log does not answer. */
let away: Set<string>;

beforeEach(async () => {
  database = await createTestDatabase();
  sql = database.sql();
  away = new Set();
  await applyEventLogMigrations(sql);
  log = createEmbeddedEventLog({ sql, clock: { nowMs: () => Date.now() } });
  await log.ensureTopics(regions.map((region) => ({ topic: `${region}.${topic}`, partitions: 1, retentionMs: 3_600_000 })));
}, coldStartMs);

afterEach(async () => {
  await relay?.stop();
  relay = undefined;
  await log.close();
  await database.drop();
});

describe("maintainOutboxPartitions()", () => {
  test("agrees with the migration on how long a partition is, how it is named and how many lie ahead", async () => {
    const partitions = await sql<{ name: string; seconds: number; number: number }[]>`
      SELECT relname AS name, extract(epoch FROM (bound[2])::timestamptz - (bound[1])::timestamptz)::float8 AS seconds,
        (extract(epoch FROM (bound[1])::timestamptz) * 1000 / ${outboxLimits.partitionMs}::float8)::float8 AS number
      FROM pg_inherits JOIN pg_class ON oid = inhrelid, regexp_match(pg_get_expr(relpartbound, oid), 'FROM [(]''(.+)''[)] TO [(]''(.+)''[)]') AS bound
      WHERE inhparent = 'outbox'::regclass ORDER BY number`;
    expect(partitions).toHaveLength(outboxLimits.partitionsAhead + 1);
    for (const { name, seconds, number } of partitions)
      expect({ name, seconds }).toEqual({ name: `outbox_p${number}`, seconds: outboxLimits.partitionMs / 1_000 });
  });

  test("makes the partitions that are missing ahead of now, once", async () => {
    const present = await names();
    await sql.unsafe(`DROP TABLE ${present.at(-1)}`);
    await sql.unsafe(`DROP TABLE ${present.at(-2)}`);
    const [one, two] = await Promise.all([maintainOutboxPartitions(sql), maintainOutboxPartitions(sql)]);
    expect([...one.made, ...two.made].toSorted()).toEqual([...present.slice(-2)]);
    expect(await names()).toEqual(present);
    expect(await maintainOutboxPartitions(sql)).toEqual({ made: [], dropped: [] });
  });

  test("drops each partition when it is a day old, and one that a cursor still needs only when that is past it", async () => {
    const clock = createManualClock(Date.now());
    const first = Math.floor(clock.nowMs() / outboxLimits.partitionMs);
    away.add("lhr");
    await startRelay();
    const dropped: (readonly string[])[] = [];
    for (let step = 0; step <= keptPartitions + 3; step++) {
      await commit("ewr", clock.nowMs());
      if (step === 1) await commit("lhr", clock.nowMs());
      await sent("ewr");
      dropped.push((await maintainOutboxPartitions(sql, clock)).dropped);
      clock.advance(outboxLimits.partitionMs);
    }
    const nothing = Array.from({ length: keptPartitions + 1 }, () => []);
    expect(dropped).toEqual([...nothing, [`outbox_p${first}`], [], [`outbox_p${first + 2}`]]);
    expect(await names()).toContain(`outbox_p${first + 1}`);
    // Always ahead of the clock, at whatever hour it was called.
    expect((await names()).at(-1)).toBe(`outbox_p${first + keptPartitions + 3 + outboxLimits.partitionsAhead}`);
    away.clear();
    await sent("lhr");
    expect((await log.bounds(`lhr.${topic}`, 0)).end).toBe(1);
    clock.advance(-outboxLimits.partitionMs);
    expect((await maintainOutboxPartitions(sql, clock)).dropped).toEqual([`outbox_p${first + 1}`]);
  });

  test("gives up a lock that a long transaction holds; writers go on meanwhile, and a later call finishes the drop", async () => {
    const clock = createManualClock(Date.now() - outboxLimits.keepMs - outboxLimits.partitionMs);
    const old = `outbox_p${Math.floor(clock.nowMs() / outboxLimits.partitionMs)}`;
    expect((await maintainOutboxPartitions(sql, clock)).made).toContain(old);
    await commit("ewr", clock.nowMs());
    await startRelay();
    await sent("ewr");
    clock.set(Date.now());
    const long = await database.sql({ max: 1 }).reserve();
    await long`BEGIN`;
    await appendOutbox(long, [row("lhr")]);

    let over = false;
    const maintained = maintainOutboxPartitions(sql, clock)
      .then(String, (error: unknown) => (error instanceof Error && "code" in error ? error.code : String(error)))
      .finally(() => (over = true));
    await eventually(
      async () =>
        (await sql`SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%DETACH%' AND wait_event_type = 'Lock'`).count > 0 || over,
    );
    let written = 0;
    while (!over) {
      await appendOutbox(sql, [row("ewr")]);
      if (!over) written++;
    }
    expect(await maintained).toBe("55P03");
    console.log(`outbox: ${written} commits while the drop waited for a lock`);
    expect(written).toBeGreaterThan(2);
    await long`ROLLBACK`;
    long.release();
    expect((await maintainOutboxPartitions(sql, clock)).dropped).toEqual([old]);
    const [found] = await sql`SELECT to_regclass(${old}) AS found`;
    expect(found).toEqual({ found: null });
  });
});

describe("readOutboxBacklog()", () => {
  test("says full above either bound and no longer when the rows are in the log; drops nothing", async () => {
    const bounds = { backlogRowsMax: 2, backlogBytesMax: Number.MAX_SAFE_INTEGER };
    away.add("ewr");
    await startRelay();
    for (let sentRows = 0; sentRows < 2; sentRows++) await commit("ewr", Date.now());
    expect(await readOutboxBacklog(sql, bounds)).toMatchObject({ full: false });
    await commit("ewr", Date.now());
    expect(await readOutboxBacklog(sql, bounds)).toMatchObject({
      full: true,
      regions: [
        { homeRegion: "ewr", rows: 3 },
        { homeRegion: "lhr", rows: 0 },
      ],
    });
    const { bytes } = await readOutboxBacklog(sql);
    expect(await readOutboxBacklog(sql, { ...bounds, backlogRowsMax: 3, backlogBytesMax: bytes - 1 })).toMatchObject({ full: true });
    expect(await readOutboxBacklog(sql, { ...bounds, backlogRowsMax: 3, backlogBytesMax: bytes })).toMatchObject({ full: false });
    away.clear();
    await sent("ewr");
    expect(await readOutboxBacklog(sql, bounds)).toMatchObject({ full: false });
    expect((await sql`SELECT FROM outbox`).count).toBe(3);
  });
});

async function startRelay(): Promise<void> {
  const reachable = (region: string): EventLog => ({
    ...log,
    async append(...parameters) {
      if (away.has(region)) throw new Error("the broker is away");
      await log.append(...parameters);
    },
  });
  relay = createRelay({ context: createTestContext(), sql: database.sql({ max: 4 }), writer: "test", regions, eventLog: reachable });
  await relay.start();
  await eventually(async () => (await sql`SELECT FROM outbox_cursor`).count === regions.length, { what: "a cursor for each region" });
}

function row(homeRegion: string): OutboxRow {
  return { homeRegion, topic, partition: 0, key: "ride-1", eventId: Bun.randomUUIDv7(), payload: new Uint8Array(100), headers: {} };
}

/** A row in the partition of that time. */
async function commit(homeRegion: string, atMs: number): Promise<void> {
  await sql`
    INSERT INTO outbox (home_region, topic, partition, key, event_id, payload, create_time)
    VALUES (${homeRegion}, ${topic}, 0, 'ride-1', gen_random_uuid(), '', to_timestamp(${atMs / 1_000}::float8))`;
}

/** Until the region's cursor says that everything is in the log. */
async function sent(region: string): Promise<void> {
  const empty = async () => (await readOutboxBacklog(sql)).regions.some(({ homeRegion, rows }) => homeRegion === region && rows === 0);
  await eventually(empty, { what: `every row of "${region}" in the log` });
}

async function names(): Promise<readonly string[]> {
  const rows = await sql<{ name: string }[]>`SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'outbox'::regclass ORDER BY 1`;
  return rows.map(({ name }) => name);
}
