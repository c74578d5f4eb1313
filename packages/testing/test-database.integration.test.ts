/** The test database: each its own, in milliseconds, with the platform's roles when asked. */
import { afterAll, expect, test } from "bun:test";
import { createTestDatabase, type TestDatabase } from "./test-database.ts";

const made: TestDatabase[] = [];
afterAll(async () => {
  await Promise.all(made.map((database) => database.drop()));
});

async function create(options?: Parameters<typeof createTestDatabase>[0]): Promise<TestDatabase> {
  const database = await createTestDatabase(options);
  made.push(database);
  return database;
}

test("createTestDatabase() gives each caller a database of its own", async () => {
  const [left, right] = await Promise.all([create(), create()]);
  await left.sql()`CREATE TABLE only_left (id int)`;
  const [found] = await right.sql()<{ table: string | null }[]>`SELECT to_regclass('only_left')::text AS table`;
  expect(found?.table).toBeNull();
});

test("createTestDatabase({ platform: true }) lets a writer write its own schema only, and coordinator read matching's", async () => {
  const databases = await Promise.all([create({ platform: true }), create({ platform: true }), create({ platform: true })]);
  const database = databases[0];
  if (database === undefined) throw new Error("no database");
  const matching = database.sql({ role: "matching", schema: "matching" });
  const coordinator = database.sql({ role: "coordinator", schema: "coordinator" });
  await matching`CREATE TABLE lease (epoch bigint)`;
  await matching`INSERT INTO lease VALUES (7)`;
  await coordinator`CREATE TABLE ride (id int)`;
  expect(await coordinator<{ epoch: number }[]>`SELECT epoch FROM matching.lease`).toMatchObject([{ epoch: 7 }]);
  expect(await failure(coordinator`UPDATE matching.lease SET epoch = 8`)).toContain("permission denied");
  expect(await failure(matching`SELECT * FROM coordinator.ride`)).toContain("permission denied");
});

async function failure(query: PromiseLike<unknown>): Promise<string> {
  try {
    await query;
  } catch (error) {
    return String(error);
  }
  return "it succeeded";
}
