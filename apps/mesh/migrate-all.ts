/**
 * `migrate`: makes what `start` expects to find, before the first process of a release starts.
 *
 * Schemas and roles, every writer's tables, and of each region the topics on its brokers or the database of its embedded
 * log. Safe to run again, and beside running processes.
 */
import { createPostgres, type Environment, type Logger, migrate, readVariable, requireVariable, type Sql } from "@ridegrid/runtime";
import { logDatabaseName } from "./database-names.ts";
import { meshLogger } from "./host-process.ts";
import { databaseWaitMs } from "./limits.ts";
import { ensureDatabases, preparePlatform, waitForDatabase } from "./prepare-databases.ts";
import { defaultRegionsFile, readRegionsFile } from "./regions-file.ts";
import { brokersIn, tryBrokers } from "./try-brokers.ts";

/** Answers the exit code. */
export async function migrateAll(environment: Environment): Promise<number> {
  const url = requireVariable(environment, "DATABASE_URL", { neededBy: '"migrate"' });
  const regions = readRegionsFile(environment["RIDEGRID_REGIONS_FILE"] ?? defaultRegionsFile);
  const logger = meshLogger(requireVariable(environment, "RIDEGRID_LOG_FORMAT"), requireVariable(environment, "RIDEGRID_LOG_LEVEL")).child({ app: "migrate" });
  await waitForDatabase(url, databaseWaitMs);
  const ids = regions.all.map(({ id }) => id);
  const brokers = brokersIn(environment, ids);
  const logDatabases = ids
    .filter((region) => !brokers.has(region) && readVariable(environment, "RIDEGRID_LOG_DATABASE_URL", { region }) === undefined)
    .map(logDatabaseName);
  if (logDatabases.length > 0) await ensureDatabases(url, logDatabases);
  await preparePlatform(url);
  await migrateWriters(url, logger);
  // Here and once: apps that start side by side would all ask a fresh broker for the same topics.
  await tryBrokers(brokers, logger);
  return 0;
}

async function migrateWriters(url: string, logger: Logger): Promise<void> {
  // Loaded here, so that no other command carries these apps' code.
  const { coordinatorMigrations } = await import("@ridegrid/assignment-coordinator/app");
  const { migrateState } = await import("@ridegrid/state-query/app");
  for (const [writer, bringUpToDate] of [
    ["coordinator", (sql: Sql) => migrate(sql, coordinatorMigrations)],
    ["state", migrateState],
  ] as const) {
    const sql = createPostgres({ url, role: writer, schema: writer, max: 1, applicationName: "ridegrid migrate" });
    try {
      logger.info({ applied: await bringUpToDate(sql) }, `the tables of "${writer}" are up to date`);
    } finally {
      await sql.end();
    }
  }
}
