/**
 * The pool on a server whose backends die. These tests hold the patch on postgres.js in place: without it the process
 * exits, queries hang, or a dead transaction's statements reach another's.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { createScratchDatabase, type ScratchDatabase } from "./postgres.fixture.ts";
import { isPostgresAway } from "./postgres-faults.ts";
import { createPostgres, type Sql } from "./postgres.ts";

const loadMs = 5_000;
const enoughKills = 250;
let database: ScratchDatabase;
let admin: Sql;

beforeAll(async () => {
  database = await createScratchDatabase();
  admin = createPostgres({ url: database.url, max: 1 });
  await admin`CREATE TABLE load_row (key text NOT NULL, part int NOT NULL, PRIMARY KEY (key, part))`;
});

afterAll(async () => {
  await admin.end();
  await database.drop();
});

test("createPostgres() outlives backends killed under load: nothing lost, halved, truncated or hung", async () => {
  const load = Bun.spawn([process.execPath, join(import.meta.dir, "postgres.kill-load.ts"), database.url, String(loadMs)], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const kills = await killWhileRunning(load.exited);
  const [code, output, errors] = await Promise.all([load.exited, new Response(load.stdout).text(), new Response(load.stderr).text()]);
  expect({ code, errors: errors.slice(0, 600) }).toEqual({ code: 0, errors: "" });
  const counts: Record<string, number> = JSON.parse(output);
  console.log(`backends killed under load: ${JSON.stringify({ kills, ...counts })}`);
  expect(counts).toMatchObject({ hung: 0, lost: 0, half: 0, truncated: 0 });
  // Evidence that the faults bit, and that work went on between them.
  expect(kills).toBeGreaterThan(50);
  expect(counts["failed"]).toBeGreaterThan(50);
  expect(counts["committed"]).toBeGreaterThan(50);
  expect(counts["committedInTwoTrips"]).toBeGreaterThan(50);
  expect(counts["cursorsRead"]).toBeGreaterThan(5);
}, 60_000);

async function killWhileRunning(exited: Promise<number>): Promise<number> {
  let kills = 0;
  let running = true;
  void exited.then(() => (running = false));
  while (running) {
    const killed = await admin`
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = 'kill-load' AND datname = current_database() AND backend_start < clock_timestamp() - interval '100 ms'
      ORDER BY random() LIMIT 2`;
    kills += killed.length;
    // Enough faults seen; from here on a busy machine must get its work done between them.
    await Bun.sleep(kills < enoughKills ? 25 : 400);
  }
  return kills;
}

test("createPostgres() rejects every query in flight when its backend is killed, and the pool answers again", async () => {
  const sql = createPostgres({ url: database.url, max: 1 });
  const [backend] = await sql<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`;
  const queries = Array.from({ length: 20 }, () =>
    sql`SELECT pg_sleep(0.02), length(${"y".repeat(200_000)})`.then(
      () => "answered",
      () => "rejected",
    ),
  );
  await Bun.sleep(60);
  await admin`SELECT pg_terminate_backend(${backend?.pid ?? 0}::int)`;
  const outcomes = await within(5_000, Promise.all(queries));
  const rejected = outcomes.filter((outcome) => outcome === "rejected").length;
  console.log(`20 queries in flight, backend killed: ${outcomes.length - rejected} answered, ${rejected} rejected, 0 hung`);
  expect(rejected).toBeGreaterThan(0);
  expect(await within(5_000, sql`SELECT 1 AS one`)).toMatchObject([{ one: 1 }]);
  await sql.end();
}, 20_000);

test("begin() sends nothing of a dead transaction to the connection's next user", async () => {
  const sql = createPostgres({ url: database.url, max: 1 });
  const resume = Promise.withResolvers<void>();
  const dead = sql.begin(async (tx) => {
    const [backend] = await tx<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`;
    await admin`SELECT pg_terminate_backend(${backend?.pid ?? 0}::int)`;
    await resume.promise;
    await tx`INSERT INTO load_row (key, part) VALUES ('zombie', 1)`;
  });
  expect(await dead.then(() => false, isPostgresAway)).toBe(true);
  const living = sql.begin(async (tx) => {
    await tx`INSERT INTO load_row (key, part) VALUES ('living', 1)`;
    resume.resolve();
    await Bun.sleep(50);
    await tx`INSERT INTO load_row (key, part) VALUES ('living', 2)`;
  });
  expect(await outcomeOf(living)).toBe("committed");
  expect(await admin`SELECT key, part FROM load_row WHERE key IN ('zombie', 'living') ORDER BY key, part`).toMatchObject([
    { key: "living", part: 1 },
    { key: "living", part: 2 },
  ]);
  await sql.end();
}, 20_000);

test("a cursor whose backend dies between two pages fails; it does not end early", async () => {
  const sql = createPostgres({ url: database.url, max: 1 });
  const [backend] = await sql<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`;
  let seen = 0;
  const read = async (): Promise<void> => {
    for await (const rows of sql`SELECT generate_series(1, 1000) AS n`.cursor(100)) {
      seen += rows.length;
      if (seen === 300) await admin`SELECT pg_terminate_backend(${backend?.pid ?? 0}::int)`;
      await Bun.sleep(seen === 300 ? 50 : 0);
    }
  };
  expect(
    await within(
      5_000,
      read().then(() => false, isPostgresAway),
    ),
  ).toBe(true);
  expect(seen).toBe(300);
  await sql.end();
});

test("createPostgres() fails a query fast when nobody listens", async () => {
  const sql = createPostgres({ url: "postgres://postgres@127.0.0.1:9/none", max: 1 });
  expect(await within(3_000, outcomeOf(sql`SELECT 1`))).toBe("ECONNREFUSED");
  await sql.end();
});

test("createPostgres() reads bigint columns and arrays as numbers, and refuses those beyond 2^53", async () => {
  expect(await admin`SELECT 9007199254740991::bigint AS last, ARRAY[1, 2]::bigint[] AS list`).toMatchObject([{ last: 9007199254740991, list: [1, 2] }]);
  expect(await within(2_000, admin`SELECT 9007199254740993::bigint AS beyond`.catch(String))).toContain("beyond 2^53");
  expect(await admin`SELECT 1 AS one`).toMatchObject([{ one: 1 }]);
});

async function outcomeOf(work: PromiseLike<unknown>): Promise<string> {
  try {
    await work;
    return "committed";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

/** A query that hangs must fail the test, not stop it. */
async function within<T>(ms: number, work: PromiseLike<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`hung for ${ms} ms`)), ms);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
