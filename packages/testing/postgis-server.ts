/** A Postgres server with PostGIS for one test file: Debian's packages, run as the shared test server is, never as a service. */
import { existsSync } from "node:fs";
import { startTestServer, type TestServer } from "./test-server.ts";

/** The releases of Debian and Ubuntu in use, newest first. */
const releases = [18, 17, 16, 15, 14] as const;

function folderOf(release: number): string {
  return `/usr/lib/postgresql/${release}`;
}

function installedRelease(): number | undefined {
  return releases.find(
    (release) => existsSync(`${folderOf(release)}/bin/postgres`) && existsSync(`/usr/share/postgresql/${release}/extension/postgis.control`),
  );
}

/** Why there is no PostGIS here; null when there is. */
export function postgisServerMissing(): string | null {
  return installedRelease() === undefined ? "no Postgres with PostGIS below /usr/lib/postgresql: Debian's is postgresql-15-postgis-3" : null;
}

export async function startPostgisServer(): Promise<TestServer> {
  const release = installedRelease();
  if (release === undefined) throw new Error(`Cannot start a server with PostGIS: ${postgisServerMissing()}`);
  return await startTestServer({ binaries: folderOf(release) });
}
