/** The relay on a real Postgres: regions apart, failing logs, dying connections, long transactions, idleness, handover. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createTestContext, createTestDatabase, eventually, type TestDatabase } from "@ridegrid/testing";
import type { Pool } from "./dependencies.ts";
import { createEmbeddedEventLog } from "./event-log.embedded.ts";
import type { EventLog } from "./event-log.ts";
import { outboxLimits, type RelayLimits } from "./limits.ts";
import { readOutboxBacklog } from "./outbox-depth.ts";
import { appendOutbox, type OutboxRow } from "./outbox.ts";
import { createRelay, type Relay } from "./relay.ts";
import { applyEventLogMigrations } from "./test-programs/apply-migrations.ts";

/** The first test of a run may have to start the server, on a busy machine. */
const coldStartMs = 30_000;
const topicName = "ride-events.v1";
let database: TestDatabase;
let sql: Pool;
let log: EventLog;
let relays: Relay[];

beforeEach(async () => {
  database = await createTestDatabase();
  sql = database.sql();
  relays = [];
  await applyEventLogMigrations(sql);
  log = createEmbeddedEventLog({ sql, clock: { nowMs: () => Date.now() } });
  await log.ensureTopics(["ewr", "lhr"].map((region) => ({ topic: `${region}.${topicName}`, partitions: 4, retentionMs: 3_600_000 })));
}, coldStartMs);

afterEach(async () => {
  await Promise.all(relays.map((relay) => relay.stop()));
  await log.close();
  await database.drop();
});

async function startRelay(options: { eventLog?: (region: string) => EventLog; limits?: Partial<RelayLimits>; pool?: Pool } = {}): Promise<Relay> {
  const relay = createRelay({
    context: createTestContext(),
    sql: options.pool ?? database.sql({ max: 4 }),
    writer: "test",
    regions: ["ewr", "lhr"],
    eventLog: options.eventLog ?? (() => log),
    limits: options.limits ?? {},
  });
  relays.push(relay);
  await relay.start();
  return relay;
}

function row(key: string, options: { region?: string; partition?: number } = {}): OutboxRow {
  const { region = "ewr", partition = 0 } = options;
  return {
    homeRegion: region,
    topic: topicName,
    partition,
    key,
    eventId: Bun.randomUUIDv7(),
    payload: new TextEncoder().encode(key),
    headers: { type: "RideRequested" },
  };
}

function rows(from: number, to: number, options: { region?: string; partition?: number } = {}): readonly OutboxRow[] {
  return Array.from({ length: to - from }, (_, index) => row(String(from + index), options));
}

async function keysIn(region: string, partition = 0): Promise<readonly string[]> {
  const topic = `${region}.${topicName}`;
  const { end } = await log.bounds(topic, partition);
  const keys: string[] = [];
  while (keys.length < end) {
    const records = await log.read(topic, partition, keys.length, { maxRecords: 5_000, maxBytes: 8_000_000, maxWaitMs: 0 }, AbortSignal.timeout(5_000));
    keys.push(...records.map(({ key }) => key));
  }
  return keys;
}

const numbers = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => String(index));

describe("createRelay()", () => {
  test("appends a committed row at a poke, with its event id and outbox id", async () => {
    const relay = await startRelay({ limits: { idlePollMs: 5_000, idlePollMaxMs: 10_000 } });
    await eventually(() => relay.states().every(({ owner }) => owner));
    const sent = row("ride-1");
    await sql.begin((tx) => appendOutbox(tx, [sent]));
    relay.poke("ewr");
    const [stored] = await log.read(`ewr.${topicName}`, 0, 0, { maxRecords: 1, maxBytes: 1_000, maxWaitMs: 2_000 }, AbortSignal.timeout(3_000));
    expect(stored).toMatchObject({ key: "ride-1", headers: { type: "RideRequested", "event-id": sent.eventId } });
    expect(Number(stored?.headers["outbox-id"])).toBeGreaterThan(0);
  });

  test("finds rows that nobody poked for, and rows older than the first relay", async () => {
    await appendOutbox(sql, rows(0, 3));
    await startRelay();
    await eventually(async () => (await keysIn("ewr")).length === 3);
    await appendOutbox(sql, rows(3, 6));
    await eventually(async () => (await keysIn("ewr")).length === 6);
    expect(await keysIn("ewr")).toEqual(numbers(6));
  });

  test("a region whose log fails delays only itself, keeps its batch and says so", async () => {
    let away = true;
    let attempts = 0;
    const broken: EventLog = {
      ...log,
      async append(topic, partition, records) {
        attempts++;
        if (away) throw new Error("the broker is away");
        await log.append(topic, partition, records);
      },
    };
    const relay = await startRelay({ eventLog: (region) => (region === "ewr" ? broken : log) });
    await appendOutbox(sql, rows(0, 50));
    await eventually(() => attempts >= 2, { what: "a second attempt of the broken log" });
    const began = performance.now();
    await appendOutbox(sql, rows(0, 20, { region: "lhr" }));
    relay.poke("lhr");
    await eventually(async () => (await keysIn("lhr")).length === 20);
    const tookMs = performance.now() - began;
    expect(tookMs).toBeLessThan(1_000);
    expect(await keysIn("ewr")).toEqual([]);
    expect(relay.states().find(({ region }) => region === "ewr")?.failing).toContain("the broker is away");
    expect((await readOutboxBacklog(sql)).regions).toMatchObject([{ homeRegion: "ewr", rows: 50 }, { homeRegion: "lhr" }]);
    away = false;
    await eventually(async () => (await keysIn("ewr")).length >= 50);
    expect(await keysIn("ewr")).toEqual(numbers(50));
    await eventually(async () => (await readOutboxBacklog(sql)).regions.every((region) => region.rows === 0));
    expect(relay.states().every(({ failing }) => failing === "")).toBe(true);
    console.log(`relay: the healthy region's rows arrived in ${tookMs.toFixed(0)} ms while the other's log failed ${attempts} times`);
  });

  test("a partition that fails is sent again without repeating the others", async () => {
    let failures = 3;
    const flaky: EventLog = {
      ...log,
      async append(topic, partition, records) {
        if (partition === 1 && failures-- > 0) throw new Error("the partition has no leader");
        await log.append(topic, partition, records);
      },
    };
    await startRelay({ eventLog: () => flaky });
    await sql.begin(async (tx) => {
      await appendOutbox(tx, rows(0, 10, { partition: 0 }));
      await appendOutbox(tx, rows(0, 10, { partition: 1 }));
    });
    await eventually(async () => (await keysIn("ewr", 1)).length >= 10);
    expect(await keysIn("ewr", 0)).toEqual(numbers(10));
    expect(await keysIn("ewr", 1)).toEqual(numbers(10));
  });

  test("while a page waits for one partition the next goes to the others, and nothing goes past what failed", async () => {
    const slowMs = 300;
    let failed = false;
    let nextPage: "not begun" | "on its way" | "landed" = "not begun";
    const flaky: EventLog = {
      ...log,
      async append(topic, partition, records) {
        if (records[0]?.key === "1" && !failed) {
          await eventually(() => nextPage === "on its way", { what: "the next page at the other partition" });
          failed = true;
          throw new Error("the partition has no leader");
        }
        // Still on its way when the other has failed: who tries again before it has landed repeats it.
        const isSlow = records[0]?.key === "12" && nextPage === "not begun";
        if (isSlow) {
          nextPage = "on its way";
          await Bun.sleep(slowMs);
        }
        await log.append(topic, partition, records);
        if (isSlow) nextPage = "landed";
      },
    };
    // Pages of twelve, in three reads of four: six rows of either partition.
    await sql.begin(async (tx) => {
      for (let at = 0; at < 40; at++) await appendOutbox(tx, [row(String(at), { partition: at % 2 })]);
    });
    await startRelay({ eventLog: () => flaky, limits: { pageRows: 10 } });
    await eventually(async () => nextPage === "landed" && (await keysIn("ewr", 0)).length >= 20 && (await keysIn("ewr", 1)).length >= 20);
    for (const partition of [0, 1]) expect(await keysIn("ewr", partition)).toEqual(numbers(40).filter((_, at) => at % 2 === partition));
    expect(failed).toBe(true);
  });

  test("rows of each partition arrive in order, whichever partition a page begins with", async () => {
    // Pages of twelve: the next begins with the partition that this one comes to last.
    const partitionOf = (at: number): number => (Math.floor(at / 12) % 2 === 0 ? at % 4 : 3 - (at % 4));
    const all = Array.from({ length: 600 }, (_, at) => row(String(at), { partition: partitionOf(at) }));
    await sql.begin((tx) => appendOutbox(tx, all));
    const relay = await startRelay({ limits: { pageRows: 10 } });
    await eventually(() => relay.states()[0]?.rowsSent === 600);
    for (const partition of [0, 1, 2, 3]) expect(await keysIn("ewr", partition)).toEqual(numbers(600).filter((_, at) => partitionOf(at) === partition));
  });

  test("loses nothing when its connections die between two pages of a batch", async () => {
    let appends = 0;
    let killed = 0;
    const killing: EventLog = {
      ...log,
      async append(topic, partition, records) {
        await log.append(topic, partition, records);
        if (++appends % 2 !== 0) return;
        // The one that reads the next page: what reads nothing may die unseen.
        const reading = await sql`
          SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'relay-under-test' AND query LIKE '%string_agg%'`;
        killed += reading.count;
      },
    };
    await sql.begin((tx) => appendOutbox(tx, rows(0, 1_000)));
    await startRelay({ eventLog: () => killing, limits: { pageRows: 50 }, pool: database.sql({ max: 4, applicationName: "relay-under-test" }) });
    await eventually(async () => new Set(await keysIn("ewr")).size === 1_000, { timeoutMs: 15_000, what: "all rows after killed connections" });
    expect([...new Set(await keysIn("ewr"))]).toEqual([...numbers(1_000)]);
    expect(killed).toBeGreaterThan(2);
    console.log(`relay: ${killed} connections killed while they read`);
  }, 20_000);

  test("ends a page where its payloads reach their bound, however few its rows are", async () => {
    const sizes: number[] = [];
    const counting: EventLog = {
      ...log,
      append(topic, partition, records) {
        sizes.push(records.length);
        return log.append(topic, partition, records);
      },
    };
    await appendOutbox(
      sql,
      numbers(16).map((key) => ({ ...row(key), payload: new Uint8Array(50_000) })),
    );
    await startRelay({ eventLog: () => counting, limits: { pageRows: 16, pageBytes: 200_000 } });
    await eventually(async () => (await keysIn("ewr")).length === 16);
    expect(sizes).toEqual([4, 4, 4, 4]);
  });

  test("goes on while a writing transaction stays open, and delivers its row when it commits", async () => {
    const relay = await startRelay();
    const long = await database.sql({ max: 1 }).reserve();
    await long`BEGIN`;
    await appendOutbox(long, [row("late")]);
    for (let index = 0; index < 5; index++) {
      await appendOutbox(sql, [row(`early-${index}`)]);
      relay.poke("ewr");
      await eventually(async () => (await keysIn("ewr")).length === index + 1);
    }
    await long`COMMIT`;
    long.release();
    await eventually(async () => (await keysIn("ewr")).length === 6);
    expect((await keysIn("ewr")).at(-1)).toBe("late");
  });

  test("writes nothing while idle but its lease", async () => {
    const relay = await startRelay();
    await eventually(() => relay.states().every(({ owner }) => owner));
    const cursors = () => sql`SELECT home_region, epoch, snap_from::text, snap_to::text, last_id FROM outbox_cursor ORDER BY 1`;
    const before = JSON.stringify(await cursors());
    // A server reports a row's change within a second of it: what was written before may still be counted at first.
    const written = await eventually(
      async () => {
        const rowsBefore = await rowsWritten();
        await Bun.sleep(1_500);
        const rows = (await rowsWritten()) - rowsBefore;
        return rows < 30 ? { rows } : undefined;
      },
      { timeoutMs: 15_000, what: "1.5 s with no more writes than two regions' renewals" },
    );
    // Two regions renew three times each; a relay that wrote at every look would write a hundred.
    console.log(`relay: two idle regions wrote ${written.rows} rows in 1.5 s`);
    expect(JSON.stringify(await cursors())).toBe(before);
  });

  test("hands over in under a second when it stops", async () => {
    const first = await startRelay();
    await eventually(() => first.states().every(({ owner }) => owner));
    const second = await startRelay();
    await appendOutbox(sql, rows(0, 5));
    first.poke("ewr");
    await eventually(async () => (await keysIn("ewr")).length === 5);
    await first.stop();
    const began = performance.now();
    await eventually(() => second.states().every(({ owner }) => owner), { timeoutMs: 3_000 });
    const tookMs = performance.now() - began;
    expect(tookMs).toBeLessThan(1_000);
    await appendOutbox(sql, rows(5, 8));
    await eventually(async () => (await keysIn("ewr")).length >= 8);
    expect(await keysIn("ewr")).toEqual(numbers(8));
    console.log(`relay: handed over ${tookMs.toFixed(0)} ms after a clean stop`);
  });
});

/** Of this test's own database; the server has others that are busy. */
async function rowsWritten(): Promise<number> {
  const [row] = await sql<{ rows: number }[]>`
    SELECT (tup_inserted + tup_updated + tup_deleted)::int AS rows FROM pg_stat_database WHERE datname = current_database()`;
  return row?.rows ?? Number.NaN;
}

describe("appendOutbox()", () => {
  test("gives ids in the order of the rows, in one statement, to no row when the transaction aborts", async () => {
    await appendOutbox(sql, rows(0, 1_000));
    const abort = sql.begin(async (tx) => {
      await appendOutbox(tx, rows(1_000, 1_010));
      throw new Error("changed its mind");
    });
    await expect(abort).rejects.toThrow("changed its mind");
    const stored = await sql<{ key: string }[]>`SELECT key FROM outbox ORDER BY id`;
    expect(stored.map(({ key }) => key)).toEqual([...numbers(1_000)]);
  });

  test("refuses a payload above its bound before anything is stored", async () => {
    const large = { ...row("large"), payload: new Uint8Array(outboxLimits.payloadBytesMax + 1) };
    await expect(appendOutbox(sql, [row("small"), large])).rejects.toThrow("at most");
    expect((await sql`SELECT FROM outbox`).count).toBe(0);
  });
});
