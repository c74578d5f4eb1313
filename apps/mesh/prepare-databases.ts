/**
 * Makes the databases a mesh needs and brings every schema up to date. Safe to run again, and by several processes at
 * once. It knows where migrations lie and whose they are, not what is in them.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { eventLogMigrations } from "@ridegrid/eventlog";
import { createPostgres, ensurePlatformSchemas, migrate, type PlatformWriter } from "@ridegrid/runtime";
import { Complaint } from "./complaint.ts";
import { databaseRetryMs, preparePoolMax } from "./limits.ts";

/** The folder of all apps. Paths, not imports: a process of one app loads no other's code. */
const apps = join(import.meta.dir, "..");

/** Each writer's schema is the event log's tables (outbox, leases, checkpoints) and its own app's. */
const migrationsOf: Readonly<Record<PlatformWriter, readonly string[]>> = {
  coordinator: [eventLogMigrations, join(apps, "assignment-coordinator/migrations")],
  matching: [eventLogMigrations],
  state: [eventLogMigrations, join(apps, "state-query/migrations")],
};

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

/** Schemas, roles and tables of the platform database. */
export async function preparePlatform(url: string): Promise<void> {
  const owner = createPostgres({ url, max: preparePoolMax, applicationName: "ridegrid prepare" });
  try {
    await ensurePlatformSchemas(owner);
  } finally {
    await owner.end();
  }
  // One after the other: the coordinator's schema is granted what matching's has, and migrations take seconds only once.
  await migrateWriter(url, "matching");
  await migrateWriter(url, "coordinator");
  await migrateWriter(url, "state");
}

async function migrateWriter(url: string, writer: PlatformWriter): Promise<void> {
  const sql = createPostgres({ url, role: writer, schema: writer, max: 1, applicationName: "ridegrid migrate" });
  try {
    await migrate(sql, migrationsOf[writer]);
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
