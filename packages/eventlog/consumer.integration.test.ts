/** The consumer's loop on a real Postgres and log: effects once, poison set aside, faults retried, gaps told, takeovers fenced. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createTestContext, createTestDatabase, eventually, type TestContext, type TestDatabase } from "@ridegrid/testing";
import { loadCheckpoint } from "./checkpoint.ts";
import { type ConsumedBatch, type ConsumerDeps, type ConsumerEnd, runConsumer } from "./consumer.ts";
import { createDeadLetterStore, PoisonRecord } from "./dead-letter.ts";
import type { Pool, Transaction } from "./dependencies.ts";
import { createEmbeddedEventLog, type EmbeddedEventLog } from "./event-log.embedded.ts";
import { type OffsetAboveEnd, OffsetBelowStart, type StoredRecord } from "./event-log.ts";
import { createLeaseKeeper, type Lease, type LeaseKeeper } from "./lease.ts";
import { applyEventLogMigrations } from "./test-programs/apply-migrations.ts";

const topic = "ewr.ride-events.v1";
const key = { homeRegion: "ewr", consumer: "projector", topic, partition: 0 };
let database: TestDatabase;
let sql: Pool;
let log: EmbeddedEventLog;
let context: TestContext;
let keeper: LeaseKeeper | undefined;

beforeEach(async () => {
  database = await createTestDatabase();
  sql = database.sql();
  context = createTestContext();
  keeper = undefined;
  await applyEventLogMigrations(sql);
  await sql`CREATE TABLE effect (record_offset bigint NOT NULL, note text NOT NULL)`;
  log = createEmbeddedEventLog({ sql: database.sql({ max: 4 }), clock: { nowMs: () => Date.now() } });
  await log.ensureTopics([{ topic, partitions: 1, retentionMs: 3_600_000 }]);
}, 30_000);

afterEach(async () => {
  await keeper?.stop();
  await log.close();
  await database.drop();
});

type Consuming = Partial<Pick<ConsumerDeps, "apply" | "onGap" | "onDeadLetters" | "startAt">>;

/** Consumes under a real lease; `ended` resolves with the loop. */
async function consume(options: Consuming = {}): Promise<{ readonly ended: Promise<ConsumerEnd>; readonly lease: Lease }> {
  let started: { readonly ended: Promise<ConsumerEnd>; readonly lease: Lease } | undefined;
  keeper = createLeaseKeeper({
    context,
    sql: database.sql({ max: 1 }),
    consumer: key.consumer,
    wanted: [{ homeRegion: "ewr", partition: 0 }],
    onGained(lease) {
      const required = { apply: note, onGap: async () => 0, limits: { waitMs: 200, retryMs: 10, retryMaxMs: 50 } };
      started = { lease, ended: runConsumer({ context, sql, lease, eventLog: log, topics: [topic], ...required, ...options }) };
    },
    onLost: async () => void (await started?.ended),
  });
  await keeper.start();
  if (!started) throw new Error("The lease was not gained");
  return started;
}

async function note(tx: Transaction, batch: { readonly records: readonly StoredRecord[] }): Promise<void> {
  for (const record of batch.records) await tx`INSERT INTO effect VALUES (${record.offset}, ${new TextDecoder().decode(record.value)})`;
}

async function append(...notes: readonly string[]): Promise<void> {
  await log.append(
    topic,
    0,
    notes.map((text) => ({ key: text.split(":")[0] ?? text, value: new TextEncoder().encode(text), headers: {} })),
  );
}

async function effects(): Promise<readonly string[]> {
  const rows = await sql<{ note: string }[]>`SELECT note FROM effect ORDER BY record_offset`;
  return rows.map((row) => row.note);
}

const settled = (count: number) => eventually(async () => (await loadCheckpoint(sql, key)) === count, { what: `a checkpoint at ${count}` });

describe("runConsumer()", () => {
  test("applies every record once, resumes at its checkpoint and measures its lag", async () => {
    await append("a:1", "b:1");
    await consume();
    await settled(2);
    await keeper?.stop();
    await append("a:2");
    await consume();
    await append("b:2");
    await settled(4);
    expect(await effects()).toEqual(["a:1", "b:1", "a:2", "b:2"]);
    await eventually(async () => /kafka_consumer_lag\{[^}]*consumer="projector"[^}]*\} 0/.test(await context.metricsText()));
  });

  test("sets a poisoned record aside with its reason, makes its key wait, and goes on with the others", async () => {
    const copied: string[] = [];
    await append("a:1", "b:poison", "a:2", "b:2", "c:1");
    await consume({
      async apply(tx, batch) {
        const bad = batch.records.find((record) => new TextDecoder().decode(record.value).endsWith("poison"));
        await note(tx, batch);
        if (bad) throw new PoisonRecord(bad.offset, "it does not decode");
      },
      onDeadLetters: async (_, letters) => void copied.push(...letters.map((letter) => `${letter.record.key} ${letter.kind}`)),
    });
    await settled(5);
    await append("b:3", "c:2");
    await settled(7);
    expect(await effects()).toEqual(["a:1", "a:2", "c:1", "c:2"]);
    const letters = await createDeadLetterStore().list(sql);
    expect(letters.map(({ offset, kind, attempts }) => ({ offset, kind, attempts }))).toEqual([
      { offset: 1, kind: "poison", attempts: 1 },
      { offset: 3, kind: "waiting", attempts: 0 },
      { offset: 5, kind: "waiting", attempts: 0 },
    ]);
    expect(letters[0]?.reason).toBe("it does not decode");
    const named = (await createDeadLetterStore().page(sql, { consumer: "projector", after: null, limit: 10 })).map(({ offset, id }) => [offset, id]);
    expect(named).toEqual([1, 3, 5].map((offset) => [offset, expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/)]));
    expect(copied).toEqual(["b poison", "b waiting", "b waiting"]);
  });

  test("replays a poisoned record once with what waited behind it, while more arrives for its key", async () => {
    const letters = createDeadLetterStore();
    let mended = false;
    const apply = async (tx: Transaction, batch: Pick<ConsumedBatch, "records">): Promise<void> => {
      const bad = batch.records.find((record) => new TextDecoder().decode(record.value).endsWith("poison"));
      await note(tx, batch);
      if (bad && !mended) throw new PoisonRecord(bad.offset, "it does not decode");
    };
    await append("b:1", "b:poison", "b:2", "c:poison");
    await consume({ apply });
    await settled(4);
    const named = (await letters.page(sql, { consumer: "projector", after: null, limit: 10 })).filter(({ kind }) => kind === "poison").map(({ id }) => id);
    expect(named).toHaveLength(2);
    const replay = () =>
      sql.begin((tx) => letters.replay(tx, { consumer: "projector", ids: named, apply: (inner, { record }) => apply(inner, { records: [record] }) }));
    expect(await replay()).toBe(0);
    expect((await letters.list(sql)).map(({ offset, attempts }) => [offset, attempts])).toEqual([
      [1, 2],
      [2, 0],
      [3, 2],
    ]);
    mended = true;
    const arriving = (async () => {
      for (let index = 3; index < 40; index++) await append(`b:${index}`);
    })();
    const counts = await Promise.all([replay(), replay(), replay()]);
    await arriving;
    await settled(41);
    expect(counts).toEqual([2, 2, 2]);
    expect(await letters.list(sql)).toEqual([]);
    const inOrderApplied = (await sql<{ note: string }[]>`SELECT note FROM effect WHERE note LIKE 'b%' ORDER BY ctid`).map((row) => row.note);
    expect(inOrderApplied).toEqual(["b:1", "b:poison", ...Array.from({ length: 38 }, (_, index) => `b:${index + 2}`)]);
    expect((await effects()).filter((effect) => effect === "c:poison")).toHaveLength(1);
  });

  test("replays nothing past a poisoned record that nobody named", async () => {
    const letters = createDeadLetterStore();
    await append("b:poison", "b:1", "b:2");
    await consume({
      async apply(tx, batch) {
        const bad = batch.records.find((record) => new TextDecoder().decode(record.value).endsWith("poison"));
        await note(tx, batch);
        if (bad) throw new PoisonRecord(bad.offset, "it does not decode");
      },
    });
    await settled(3);
    const waiting = (await letters.page(sql, { consumer: "projector", after: null, limit: 10 })).filter(({ kind }) => kind === "waiting").map(({ id }) => id);
    const apply = (inner: Transaction, { record }: { readonly record: StoredRecord }) => note(inner, { records: [record] });
    expect(await sql.begin((tx) => letters.replay(tx, { consumer: "projector", ids: waiting, apply }))).toBe(0);
    expect(await sql.begin((tx) => letters.replay(tx, { consumer: "another", ids: waiting, apply }))).toBe(0);
    expect(await effects()).toEqual([]);
  });

  test("finds the record that an unexplained failure comes from", async () => {
    await append("a:1", "b:1", "c:1");
    await consume({
      async apply(tx, batch) {
        await note(tx, batch);
        if (batch.records.some((record) => record.key === "b")) throw new TypeError("undefined is not a ride");
      },
    });
    await settled(3);
    expect(await effects()).toEqual(["a:1", "c:1"]);
    expect((await createDeadLetterStore().list(sql)).map(({ offset, reason }) => ({ offset, reason }))).toEqual([
      { offset: 1, reason: "TypeError: undefined is not a ride" },
    ]);
  });

  test("retries while the database kills its connections, and dead-letters nothing", async () => {
    let kills = 0;
    await append("a:1", "b:1");
    await consume({
      async apply(tx, batch) {
        await note(tx, batch);
        if (kills++ < 3) await tx`SELECT pg_terminate_backend(pg_backend_pid())`;
      },
    });
    await settled(2);
    expect(kills).toBe(4);
    expect(await effects()).toEqual(["a:1", "b:1"]);
    expect(await createDeadLetterStore().list(sql)).toEqual([]);
  });

  test("tells of records that retention took, and goes on where it is told", async () => {
    const gaps: (OffsetBelowStart | OffsetAboveEnd)[] = [];
    await append("a:1");
    await consume();
    await settled(1);
    await keeper?.stop();
    await append("a:2");
    await append("a:3");
    await log.trim(topic, 0, 2);
    await consume({
      async onGap(gap) {
        gaps.push(gap);
        return 2;
      },
    });
    await settled(3);
    expect(await effects()).toEqual(["a:1", "a:3"]);
    expect(gaps).toHaveLength(1);
    expect(gaps[0]).toBeInstanceOf(OffsetBelowStart);
  });

  test("stops without an effect when another process has taken the lease", async () => {
    await append("a:1");
    const { ended } = await consume({
      async apply(tx, batch) {
        await note(tx, batch);
        await sql`UPDATE lease SET owner = 'another', epoch = epoch + 1, lease_until = clock_timestamp() + interval '1 minute'`;
      },
    });
    expect(await ended).toBe("fenced");
    expect(await effects()).toEqual([]);
    expect(await loadCheckpoint(sql, key)).toBeUndefined();
  });

  test("begins at the end where it is told to", async () => {
    await append("old:1");
    await consume({ startAt: "end" });
    await eventually(async () => {
      await append("new:1");
      return (await effects()).length > 0;
    });
    expect(await effects()).not.toContain("old:1");
  });
});
