/** A region's event log closed to everybody, as a broker that is away, and opened again. */
import postgres from "postgres";
import { withDatabase } from "./database-names.ts";
import type { MeshFolder } from "./mesh.fixture.ts";

export function gatewayOf(folder: MeshFolder, region: string): string {
  const found = folder.file().gateways[region];
  if (found === undefined) throw new Error(`mesh.json names no gateway of ${region}`);
  return found;
}

export async function closeLog(folder: MeshFolder, region: string): Promise<void> {
  const sql = postgres(withDatabase(folder.file().databaseUrl, "postgres"), { max: 1, onnotice: () => {} });
  await sql.unsafe(`ALTER DATABASE ridegrid_log_${region} ALLOW_CONNECTIONS false`);
  await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${`ridegrid_log_${region}`}`;
  await sql.end();
}

export async function openLog(folder: MeshFolder, region: string): Promise<void> {
  const sql = postgres(withDatabase(folder.file().databaseUrl, "postgres"), { max: 1, onnotice: () => {} });
  await sql.unsafe(`ALTER DATABASE ridegrid_log_${region} ALLOW_CONNECTIONS true`);
  await sql.end();
}
