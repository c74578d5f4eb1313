/** Leases on a real Postgres: takeover after a crash and a stop, epochs, self-fencing, and what a late owner can still write: nothing. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createTestContext, createTestDatabase, eventually, type TestDatabase } from "@ridegrid/testing";
import { Fenced, loadCheckpoint, saveCheckpoint } from "./checkpoint.ts";
import type { Pool } from "./dependencies.ts";
import { ensureLeaseRows, renewAndTakeLeases } from "./lease-rows.ts";
import { createLeaseKeeper, type Lease, type LeaseKeeper, type LeaseKeeperDeps } from "./lease.ts";
import { applyEventLogMigrations } from "./test-programs/apply-migrations.ts";

const consumer = "matching";
const wanted = [
  { homeRegion: "ewr", partition: 0 },
  { homeRegion: "lhr", partition: 0 },
];
let database: TestDatabase;
let sql: Pool;
let keepers: LeaseKeeper[];

beforeEach(async () => {
  database = await createTestDatabase();
  sql = database.sql();
  keepers = [];
  await applyEventLogMigrations(sql);
}, 30_000);

afterEach(async () => {
  await Promise.all(keepers.map((keeper) => keeper.stop()));
  await database.drop();
});

async function startKeeper(options: Partial<Pick<LeaseKeeperDeps, "onGained" | "onLost" | "sql" | "limits">> = {}): Promise<LeaseKeeper> {
  const nothing = { onGained: () => {}, onLost: async () => {} };
  const keeper = createLeaseKeeper({ context: createTestContext(), sql: database.sql({ max: 1 }), consumer, wanted, ...nothing, ...options });
  keepers.push(keeper);
  await keeper.start();
  return keeper;
}

function held(keeper: LeaseKeeper, region = "ewr"): Lease {
  const lease = keeper.held().find(({ homeRegion }) => homeRegion === region);
  if (!lease) throw new Error(`The lease of ${region} is not held`);
  return lease;
}

describe("createLeaseKeeper()", () => {
  test("has one owner per partition, and keeps its epoch while it renews", async () => {
    const first = await startKeeper();
    const second = await startKeeper();
    expect(first.held().map(({ epoch }) => epoch)).toEqual([1, 1]);
    await Bun.sleep(2_500);
    expect(first.held().map(({ epoch }) => epoch)).toEqual([1, 1]);
    expect(second.held()).toEqual([]);
  });

  test("is not renewed by whoever held it before, nor by another with the same epoch", async () => {
    const [want] = wanted;
    if (want === undefined) throw new Error("no lease is wanted");
    const ask = (owner: string, epoch: number | null, leaseMs = 60_000) => renewAndTakeLeases(sql, { consumer, owner, leaseMs, asked: [{ ...want, epoch }] });
    await ensureLeaseRows(sql, consumer, [want]);
    expect(await ask("first", null, 0)).toMatchObject([{ epoch: 1 }]);
    await eventually(async () => (await ask("second", null)).length === 1);
    expect(await ask("first", 1)).toEqual([]);
    expect(await ask("first", 2)).toEqual([]);
    expect(await ask("second", 1)).toEqual([]);
    expect(await ask("second", 2)).toMatchObject([{ epoch: 2 }]);
    const rows = await sql<
      { owner: string; epoch: number }[]
    >`SELECT owner, epoch::float8 AS epoch FROM lease WHERE consumer = ${consumer} AND home_region = ${want.homeRegion}`;
    expect(rows.map(({ owner, epoch }) => [owner, epoch])).toEqual([["second", 2]]);
  });

  test("starts on a database that is slow to answer, and takes its leases when it does", async () => {
    await ensureLeaseRows(sql, consumer, wanted);
    const slow = await sql.reserve();
    await slow`BEGIN`;
    await slow`SELECT FROM lease FOR UPDATE`;
    const keeper = await startKeeper({ limits: { statementMs: 200 } });
    expect(keeper.held()).toEqual([]);
    await slow`COMMIT`;
    slow.release();
    await eventually(() => keeper.held().length === wanted.length, { timeoutMs: 15_000, what: "both leases" });
  }, 30_000);

  test("is taken over within 3 s of a crash, with the next epoch", async () => {
    const child = Bun.spawn([process.execPath, new URL("./test-programs/hold-leases.ts", import.meta.url).pathname, database.url, consumer], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    const hello = await child.stdout.getReader().read();
    expect(new TextDecoder().decode(hello.value)).toContain("gained");
    const second = await startKeeper();
    expect(second.held()).toEqual([]);
    child.kill("SIGKILL");
    await child.exited;
    const began = performance.now();
    await eventually(() => second.held().length === 2, { timeoutMs: 5_000 });
    const tookMs = performance.now() - began;
    console.log(`lease: taken over ${tookMs.toFixed(0)} ms after kill -9`);
    expect(tookMs).toBeLessThan(3_000);
    expect(second.held().map(({ epoch }) => epoch)).toEqual([2, 2]);
  }, 15_000);

  test("is taken over in under a second after a clean stop, which waits for the work to end", async () => {
    const told: string[] = [];
    const first = await startKeeper({
      async onLost(lease) {
        told.push(`${lease.homeRegion} ${lease.signal.aborted}`);
        await Bun.sleep(100);
        told.push(`${lease.homeRegion} ended`);
      },
    });
    const second = await startKeeper();
    await first.stop();
    const began = performance.now();
    expect(told).toEqual(["ewr true", "lhr true", "ewr ended", "lhr ended"]);
    await eventually(() => second.held().length === 2, { timeoutMs: 5_000 });
    const tookMs = performance.now() - began;
    console.log(`lease: taken over ${tookMs.toFixed(0)} ms after a clean stop`);
    expect(tookMs).toBeLessThan(1_000);
  });

  test("counts a lease as lost no later than it lapses when its renewals fail, and gains it again", async () => {
    const lost: Lease[] = [];
    const gained: Lease[] = [];
    const pool = database.sql({ max: 1, applicationName: "keeper" });
    await startKeeper({ sql: pool, onGained: (lease) => void gained.push(lease), onLost: async (lease) => void lost.push(lease) });
    const other = database.sql({ max: 1 });
    const blocker = await other.reserve();
    await blocker`BEGIN`;
    await blocker`LOCK TABLE lease IN ACCESS EXCLUSIVE MODE`;
    const began = performance.now();
    await eventually(() => lost.length === 2, { timeoutMs: 5_000 });
    // A lease is 2 s; the rest is slack for a busy machine.
    expect(performance.now() - began).toBeLessThan(2_600);
    expect(lost.every(({ signal }) => signal.aborted)).toBe(true);
    await blocker`COMMIT`;
    blocker.release();
    await eventually(() => gained.length === 4, { timeoutMs: 6_000 });
    expect(gained.slice(2).map(({ epoch }) => epoch)).toEqual([2, 2]);
  }, 15_000);
});

describe("saveCheckpoint()", () => {
  const key = { homeRegion: "ewr", consumer, topic: "ewr.ride-events.v1", partition: 0 };
  const offsets = (nextOffset: number) => [{ topic: key.topic, nextOffset }];

  beforeEach(async () => {
    await sql`CREATE TABLE effect (note text NOT NULL)`;
  });

  /** Another process takes the lease, as it does once the lease has lapsed. */
  async function takeOver(): Promise<void> {
    await sql`UPDATE lease SET owner = 'another', epoch = epoch + 1, lease_until = clock_timestamp() + interval '1 minute' WHERE home_region = 'ewr'`;
  }

  test("stores the offset with the effect, and moves it", async () => {
    const lease = held(await startKeeper());
    expect(await loadCheckpoint(sql, key)).toBeUndefined();
    for (const next of [5, 9]) {
      await sql.begin(async (tx) => {
        await tx`INSERT INTO effect VALUES (${`up to ${next}`})`;
        await saveCheckpoint(tx, { lease, offsets: offsets(next) });
      });
    }
    expect(await loadCheckpoint(sql, key)).toBe(9);
  });

  test("a paused old owner's commit touches no row: effect and offset are rolled back", async () => {
    const lease = held(await startKeeper());
    const batch = sql.begin(async (tx) => {
      await tx`INSERT INTO effect VALUES ('of a zombie')`;
      await takeOver();
      await saveCheckpoint(tx, { lease, offsets: offsets(7) });
    });
    await expect(batch).rejects.toBeInstanceOf(Fenced);
    expect((await sql`SELECT FROM effect`).count).toBe(0);
    expect(await loadCheckpoint(sql, key)).toBeUndefined();
  });

  test("a takeover waits for a commit under way, and for a sleeping owner two seconds at most", async () => {
    const lease = held(await startKeeper());
    let took = 0;
    const sleeping = sql.begin(async (tx) => {
      await tx`INSERT INTO effect VALUES ('never committed')`;
      await saveCheckpoint(tx, { lease, offsets: offsets(3) });
      const began = performance.now();
      await takeOver();
      took = performance.now() - began;
    });
    await expect(sleeping).rejects.toThrow();
    expect(took).toBeWithin(500, 3_000);
    expect(await loadCheckpoint(sql, key)).toBeUndefined();
    expect((await sql`SELECT FROM effect`).count).toBe(0);
  }, 10_000);
});
