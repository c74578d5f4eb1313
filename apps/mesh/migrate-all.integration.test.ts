/** `migrate` on a server that has nothing: databases, roles, schemas and tables, once, however often it runs. */
import { expect, test } from "bun:test";
import { createPostgres, platformWriters } from "@ridegrid/runtime";
import { postgisServerMissing, startPostgisServer, startTestServer } from "@ridegrid/testing";
import { regionIds } from "./deployed-apps.fixture.ts";
import { logDatabaseName } from "./database-names.ts";
import { migrateAll } from "./migrate-all.ts";

// Its own server: the databases of embedded logs have fixed names.
test("migrateAll() makes every schema, and a log's database only where none is named", async () => {
  const server = await startTestServer();
  const sql = createPostgres({ url: server.url, max: 1 });
  try {
    const environment = { DATABASE_URL: server.url, RIDEGRID_LOG_LEVEL: "silent" };
    expect(await migrateAll({ ...environment, RIDEGRID_LOG_DATABASE_URL_LHR: "postgres://elsewhere/log" })).toBe(0);
    const databases = await sql<{ datname: string }[]>`SELECT datname FROM pg_database WHERE datname LIKE 'ridegrid_log_%'`;
    expect(databases.map(({ datname }) => datname)).toEqual([logDatabaseName("ewr")]);
    const tablesOf = async (): Promise<readonly string[]> =>
      (
        await sql<{ name: string }[]>`
          SELECT DISTINCT schemaname AS name FROM pg_tables WHERE schemaname IN ${sql([...platformWriters])} AND tablename <> 'schema_migration' ORDER BY 1`
      ).map(({ name }) => name);
    expect(await tablesOf()).toEqual([...platformWriters].toSorted());
    const applied = await sql`SELECT name, apply_time FROM coordinator.schema_migration ORDER BY name`;

    expect(await Promise.all([migrateAll(environment), migrateAll(environment)])).toEqual([0, 0]);
    expect(await sql`SELECT name, apply_time FROM coordinator.schema_migration ORDER BY name`).toEqual(applied);
    expect(await sql`SELECT 1 FROM pg_database WHERE datname IN ${sql(regionIds.map(logDatabaseName))}`).toHaveLength(regionIds.length);
  } finally {
    await sql.end();
    await server.stop();
  }
});

const missing = postgisServerMissing();
test.skipIf(missing !== null)(
  `migrateAll() takes Debian's release, and puts searches by place on its PostGIS${missing === null ? "" : ` (${missing})`}`,
  async () => {
    const server = await startPostgisServer();
    const sql = createPostgres({ url: server.url, max: 1 });
    try {
      expect(await migrateAll({ DATABASE_URL: server.url, RIDEGRID_LOG_LEVEL: "silent" })).toBe(0);
      expect(await sql`SELECT form FROM state.geography_form`).toEqual(expect.arrayContaining([{ form: "postgis" }]));
    } finally {
      await sql.end();
      await server.stop();
    }
  },
  60_000,
);

test("migrateAll() names what is missing", async () => {
  await expect(migrateAll({})).rejects.toThrow('Cannot start "migrate": the environment variable DATABASE_URL is missing');
});
