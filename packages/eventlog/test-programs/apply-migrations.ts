/** Applies this package's migrations to a test database, in order. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Pool } from "../dependencies.ts";
import { eventLogMigrations } from "../migrations-directory.ts";

export async function applyEventLogMigrations(sql: Pool): Promise<void> {
  for (const name of readdirSync(eventLogMigrations).toSorted()) await sql.unsafe(readFileSync(join(eventLogMigrations, name), "utf8"));
}
