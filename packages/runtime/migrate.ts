/**
 * Brings a schema up to date: the `NNNN_name.sql` files of one or several directories, in order, once each.
 *
 * Runs as the connection's role in the connection's search path, all in one transaction, one process at a time. A
 * file that was applied and then edited is refused: a schema must be the sum of its files.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Sql } from "./postgres.ts";

type Migration = { readonly name: string; readonly text: string; readonly checksum: string };

/** Answers the names of the files it applied now. Directories go in the order given; names are unique across them. */
export async function migrate(sql: Sql, directories: string | readonly string[]): Promise<readonly string[]> {
  const migrations = await readMigrations(typeof directories === "string" ? [directories] : directories);
  const applied = await sql.begin(async (tx) => {
    await tx`SET LOCAL statement_timeout = 0`;
    await tx`SELECT pg_advisory_xact_lock(hashtext('ridegrid.migrate'), hashtext(current_schema()))`;
    await tx`CREATE TABLE IF NOT EXISTS schema_migration (name text PRIMARY KEY, checksum text NOT NULL, apply_time timestamptz NOT NULL DEFAULT now())`;
    const rows = await tx<{ name: string; checksum: string }[]>`SELECT name, checksum FROM schema_migration`;
    const known = new Map(rows.map((row) => [row.name, row.checksum]));
    const pending = migrations.filter((migration) => !isApplied(migration, known));
    for (const { name, text, checksum } of pending) {
      await tx.unsafe(text).catch((cause: unknown) => {
        throw new Error(`Cannot apply migration "${name}": ${String(cause)}`, { cause });
      });
      await tx`INSERT INTO schema_migration (name, checksum) VALUES (${name}, ${checksum})`;
    }
    return pending.map((migration) => migration.name);
  });
  return applied;
}

function isApplied(migration: Migration, known: ReadonlyMap<string, string>): boolean {
  const checksum = known.get(migration.name);
  if (checksum === undefined || checksum === migration.checksum) return checksum !== undefined;
  throw new Error(`Cannot migrate: "${migration.name}" was edited after it was applied; put it back and add a new file`);
}

async function readMigrations(directories: readonly string[]): Promise<readonly Migration[]> {
  const migrations = new Map<string, Migration>();
  for (const directory of directories) {
    const names = (await readdir(directory)).filter((name) => name.endsWith(".sql")).toSorted();
    for (const name of names) {
      if (migrations.has(name)) throw new Error(`Cannot migrate: two directories hold a "${name}"; the second is "${directory}"`);
      const text = await readFile(join(directory, name), "utf8");
      migrations.set(name, { name, text, checksum: new Bun.CryptoHasher("sha256").update(text).digest("hex") });
    }
  }
  return [...migrations.values()];
}
