/**
 * A database of its own for one test file or one test, in milliseconds, on the run's shared server.
 *
 * The server is the one named by `TEST_DATABASE_URL` (the test runner sets it), else one is started when first asked
 * for and ends with this process.
 */
import { createPostgres, ensurePlatformSchemas, type PostgresOptions, type Sql } from "@ridegrid/runtime";
import { testPoolSizeDefault } from "./limits.ts";
import { startTestServer } from "./test-server.ts";

export interface TestDatabase {
  readonly name: string;
  readonly url: string;
  /** A pool on it; closed by `drop()`. */
  sql(options?: Omit<PostgresOptions, "url">): Sql;
  /** A pool on the server's `postgres` database, to end backends or close this database to connections. */
  admin(): Sql;
  /** Ends every connection and deletes it. Safe to call twice. */
  drop(): Promise<void>;
}

export type TestDatabaseOptions = {
  /** With the platform's roles and schemas: coordinator, matching, state. */
  readonly platform?: boolean;
  /** A server other than the run's shared one. */
  readonly serverUrl?: string;
};

export async function createTestDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const serverUrl = options.serverUrl ?? (await testServerUrl());
  const admin = createPostgres({ url: serverUrl, max: 1, applicationName: "test-admin", statementTimeoutMs: 60_000 });
  const name = `test_${Bun.randomUUIDv7().replaceAll("-", "")}`;
  const template = options.platform === true ? await ensurePlatformTemplate(admin, serverUrl) : "template0";
  await admin.unsafe(`CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY file_copy`);
  const url = urlOf(serverUrl, name);
  const pools: Sql[] = [];
  let dropped: Promise<void> | undefined;
  return {
    name,
    url,
    sql(poolOptions = {}) {
      const sql = createPostgres({ max: testPoolSizeDefault, applicationName: "test", ...poolOptions, url });
      pools.push(sql);
      return sql;
    },
    admin: () => admin,
    drop: () => (dropped ??= dropDatabase({ admin, name, pools })),
  };
}

async function dropDatabase({ admin, name, pools }: { readonly admin: Sql; readonly name: string; readonly pools: readonly Sql[] }): Promise<void> {
  await Promise.all(pools.map((sql) => sql.end({ timeout: 1 })));
  await admin.unsafe(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  await admin.end({ timeout: 1 });
}

const platformTemplate = "ridegrid_platform_template";

/** Made once per server; the lock makes parallel test processes wait for the first. */
async function ensurePlatformTemplate(admin: Sql, serverUrl: string): Promise<string> {
  const exists = async (): Promise<boolean> => (await admin`SELECT 1 FROM pg_database WHERE datname = ${platformTemplate} AND datistemplate`).length > 0;
  if (await exists()) return platformTemplate;
  await admin`SELECT pg_advisory_lock(hashtext('ridegrid.test-template'))`;
  try {
    if (!(await exists())) await makePlatformTemplate(admin, serverUrl);
  } finally {
    await admin`SELECT pg_advisory_unlock(hashtext('ridegrid.test-template'))`;
  }
  return platformTemplate;
}

async function makePlatformTemplate(admin: Sql, serverUrl: string): Promise<void> {
  await admin.unsafe(`DROP DATABASE IF EXISTS ${platformTemplate} WITH (FORCE)`);
  await admin.unsafe(`CREATE DATABASE ${platformTemplate} TEMPLATE template0 STRATEGY file_copy`);
  const sql = createPostgres({ url: urlOf(serverUrl, platformTemplate), max: 1 });
  await ensurePlatformSchemas(sql);
  await sql.end();
  await admin.unsafe(`ALTER DATABASE ${platformTemplate} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false`);
}

function urlOf(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

let started: Promise<string> | undefined;

function testServerUrl(): Promise<string> {
  const given = process.env["TEST_DATABASE_URL"];
  if (given !== undefined && given !== "") return Promise.resolve(given);
  return (started ??= startTestServer().then((server) => server.url));
}
