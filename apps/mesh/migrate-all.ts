/**
 * `migrate`: makes what `start` expects to find in Postgres, before the first process of a release starts.
 *
 * Schemas and roles, every writer's tables, and the database of each region's embedded log; a region on brokers has
 * none, and its topics are made by whoever starts first. Safe to run again, and beside running processes.
 */
import { createPostgres, type Environment, migrate, readVariable, requireVariable } from "@ridegrid/runtime";
import { logDatabaseName } from "./database-names.ts";
import { meshLogger } from "./host-process.ts";
import { databaseWaitMs } from "./limits.ts";
import { ensureDatabases, preparePlatform, waitForDatabase } from "./prepare-databases.ts";
import { readKafka } from "./read-environment.ts";
import { defaultRegionsFile, readRegionsFile } from "./regions-file.ts";

/** Answers the exit code. */
export async function migrateAll(environment: Environment): Promise<number> {
  const url = requireVariable(environment, "DATABASE_URL", { neededBy: '"migrate"' });
  const regions = readRegionsFile(environment["RIDEGRID_REGIONS_FILE"] ?? defaultRegionsFile);
  const logger = meshLogger(requireVariable(environment, "RIDEGRID_LOG_FORMAT"), requireVariable(environment, "RIDEGRID_LOG_LEVEL")).child({ app: "migrate" });
  await waitForDatabase(url, databaseWaitMs);
  const logDatabases = regions.all
    .map(({ id }) => id)
    .filter((region) => readKafka(environment, region) === undefined && readVariable(environment, "RIDEGRID_LOG_DATABASE_URL", { region }) === undefined)
    .map(logDatabaseName);
  if (logDatabases.length > 0) await ensureDatabases(url, logDatabases);
  await preparePlatform(url);
  // Loaded here, so that no other command carries these apps' code.
  const { coordinatorMigrations } = await import("@ridegrid/assignment-coordinator/app");
  const { stateMigrations } = await import("@ridegrid/state-query/app");
  for (const [writer, directories] of [
    ["coordinator", coordinatorMigrations],
    ["state", stateMigrations],
  ] as const) {
    const sql = createPostgres({ url, role: writer, schema: writer, max: 1, applicationName: "ridegrid migrate" });
    try {
      logger.info({ applied: await migrate(sql, directories) }, `the tables of "${writer}" are up to date`);
    } finally {
      await sql.end();
    }
  }
  return 0;
}
