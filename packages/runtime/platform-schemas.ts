/**
 * The platform database's layout: a schema and a role for each writer, and no grant across but the coordinator's
 * right to read matching's leases; and PostGIS, where the server has it. Tables are the migrations' business.
 *
 * Safe to run again and from several processes at once; the mesh, production's bootstrap and tests all call it.
 */
import type { Sql } from "./postgres.ts";

export const platformWriters = ["coordinator", "matching", "state"] as const;
export type PlatformWriter = (typeof platformWriters)[number];

/** `sql` is connected to the platform database as its owner, or, where all is made already, as a member of its roles. */
export async function ensurePlatformSchemas(sql: Sql): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`SELECT pg_advisory_xact_lock(hashtext('ridegrid.platform-schemas'))`;
    for (const writer of platformWriters) await tx.unsafe(writerSql(writer));
    await tx.unsafe(`
      GRANT USAGE ON SCHEMA matching TO coordinator;
      GRANT SELECT ON ALL TABLES IN SCHEMA matching TO coordinator;
      ALTER DEFAULT PRIVILEGES FOR ROLE matching IN SCHEMA matching GRANT SELECT ON TABLES TO coordinator;
    `);
  });
  await offerPostgis(sql);
}

/** Searches by place use it where it is and do without where it is not; a user who may not install it is one who has none. */
async function offerPostgis(sql: Sql): Promise<void> {
  const [found] = await sql`SELECT 1 FROM pg_available_extensions WHERE name = 'postgis' AND installed_version IS NULL`;
  if (found === undefined) return;
  try {
    await sql`CREATE EXTENSION IF NOT EXISTS postgis SCHEMA public`;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && postgisRefusals.has(String(error.code)))) throw error;
  }
}

/** Not allowed, not supported here, half installed, no schema `public`; or another process was first: a duplicate by name, or by the catalogue's index. */
const postgisRefusals: ReadonlySet<string> = new Set(["42501", "0A000", "58P01", "3F000", "42710", "23505"]);

/**
 * Roles belong to the whole server, so the lock of one database does not keep another from creating them first. A schema
 * that exists is not asked for: `IF NOT EXISTS` would still want the right to make it.
 */
function writerSql(writer: PlatformWriter): string {
  return `
    DO $$ BEGIN
      IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${writer}') THEN
        CREATE ROLE ${writer} NOLOGIN;
      END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END $$;
    DO $$ BEGIN
      IF NOT pg_has_role(current_user, '${writer}', 'MEMBER') THEN
        EXECUTE format('GRANT ${writer} TO %I', current_user);
      END IF;
    END $$;
    DO $$ BEGIN
      IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = '${writer}') THEN
        CREATE SCHEMA ${writer} AUTHORIZATION ${writer};
      END IF;
    END $$;
  `;
}
