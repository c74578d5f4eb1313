/** Migrations: in order, once, all or nothing, whoever starts first. */
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { migrate } from "./migrate.ts";
import { createScratchDatabase, makeScratchFolder, type ScratchDatabase } from "./postgres.fixture.ts";
import { createPostgres, type Sql } from "./postgres.ts";

const folder = makeScratchFolder();
let database: ScratchDatabase;
let sql: Sql;

beforeAll(async () => {
  database = await createScratchDatabase();
  sql = createPostgres({ url: database.url, schema: "app", max: 6 });
});

beforeEach(async () => {
  await sql.unsafe("DROP SCHEMA IF EXISTS app CASCADE; CREATE SCHEMA app");
  rmSync(join(folder, "own"), { recursive: true, force: true });
  write("log/0001_log.sql", "CREATE TABLE log_entry (id int)");
  write("own/0001_ride.sql", "CREATE TABLE ride (id int PRIMARY KEY)");
  write("own/0002_offer.sql", "CREATE TABLE offer (ride_id int REFERENCES ride)");
});

afterAll(async () => {
  await sql.end();
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

const directories = [join(folder, "log"), join(folder, "own")];

function write(path: string, text: string): void {
  mkdirSync(join(folder, path, ".."), { recursive: true });
  writeFileSync(join(folder, path), text);
}

test("migrate() applies the files of several directories in order, once", async () => {
  expect(await migrate(sql, directories)).toEqual(["0001_log.sql", "0001_ride.sql", "0002_offer.sql"]);
  write("own/0003_quote.sql", "CREATE TABLE quote (id int)");
  expect(await migrate(sql, directories)).toEqual(["0003_quote.sql"]);
  expect(await migrate(sql, directories)).toEqual([]);
});

test("migrate() called by six processes at once applies each file once", async () => {
  const pools = Array.from({ length: 6 }, () => createPostgres({ url: database.url, schema: "app", max: 1 }));
  const applied = await Promise.all(pools.map((pool) => migrate(pool, directories)));
  expect(applied.flat()).toHaveLength(3);
  await Promise.all(pools.map((pool) => pool.end()));
});

test("migrate() leaves nothing behind when a file fails, and names the file", async () => {
  write("own/0003_broken.sql", "CREATE TABLE half (id int); SELECT no_such_function()");
  expect(await migrate(sql, directories).catch(String)).toContain('Cannot apply migration "0003_broken.sql"');
  const [found] = await sql<{ half: string | null; ride: string | null }[]>`SELECT to_regclass('half')::text AS half, to_regclass('ride')::text AS ride`;
  expect(found).toEqual({ half: null, ride: null });
});

test("migrate() refuses a file that was edited after it was applied", async () => {
  await migrate(sql, directories);
  write("own/0002_offer.sql", "CREATE TABLE offer (ride_id int)");
  expect(await migrate(sql, directories).catch(String)).toContain('"0002_offer.sql" was edited after it was applied');
});
