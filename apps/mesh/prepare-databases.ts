/**
 * Makes the databases a mesh needs and brings every schema up to date. Safe to run again, and by several processes at
 * once.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { eventLogMigrations } from "@ridegrid/eventlog";
import { createPostgres, ensurePlatformSchemas, migrate, type PostgresOptions, type Sql } from "@ridegrid/runtime";
import { Complaint } from "./complaint.ts";
import { databaseRetryMs } from "./limits.ts";

/** `adminUrl` is of a database that exists, as a user that may create others. */
export async function ensureDatabases(adminUrl: string, names: readonly string[]): Promise<void> {
  const sql = createPostgres({ url: adminUrl, max: 1, applicationName: "ridegrid prepare" });
  try {
    const rows = await sql<{ datname: string }[]>`SELECT datname FROM pg_database WHERE datname IN ${sql([...names])}`;
    const there = new Set(rows.map((row) => row.datname));
    for (const name of names.filter((name) => !there.has(name))) await createDatabase((text) => sql.unsafe(text), name);
  } finally {
    await sql.end();
  }
}

async function createDatabase(run: (text: string) => Promise<unknown>, name: string): Promise<void> {
  try {
    await run(`CREATE DATABASE "${name}"`);
  } catch (error) {
    // Another process was first: "duplicate_database", or the unique index that says the same.
    if (!(error instanceof Error && "code" in error && (error.code === "42P04" || error.code === "23505"))) throw error;
  }
}

/**
 * Schemas and roles of the platform database, and the tables of `matching`, which has none but the event log's and which
 * the coordinator reads. The coordinator and state-query bring their own schemas up to date when they start.
 */
export async function preparePlatform(url: string): Promise<void> {
  await withPool({ url }, ensurePlatformSchemas);
  await withPool({ url, role: "matching", schema: "matching" }, (sql) => migrate(sql, eventLogMigrations));
}

async function withPool(options: PostgresOptions, use: (sql: Sql) => Promise<unknown>): Promise<void> {
  const sql = createPostgres({ ...options, max: 1, applicationName: "ridegrid prepare" });
  try {
    await use(sql);
  } finally {
    await sql.end();
  }
}

/** Waits for a database that does not answer yet. @throws a Complaint that says what was tried. */
export async function waitForDatabase(url: string, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const failure = await tryOnce(url);
    if (failure === undefined) return;
    if (performance.now() + databaseRetryMs > deadline) {
      throw new Complaint(`Cannot start: Postgres at ${describe(url)} did not answer for ${timeoutMs / 1000} s; the last try said: ${failure}`);
    }
    await sleep(databaseRetryMs);
  }
}

async function tryOnce(url: string): Promise<string | undefined> {
  const sql = createPostgres({ url, max: 1, connectTimeoutMs: 2_000, applicationName: "ridegrid probe" });
  try {
    await sql`SELECT 1`;
    return undefined;
  } catch (error) {
    return (error instanceof Error ? error.message : String(error)).replaceAll("\n", " ");
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** Host, port and database, without the password. */
function describe(url: string): string {
  const { hostname, port, pathname } = new URL(url);
  return `${hostname}:${port === "" ? "5432" : port} (database "${pathname.slice(1)}")`;
}
