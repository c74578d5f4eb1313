/**
 * One Postgres server for a whole test run, without durability, in a temporary folder that goes away with it.
 *
 * It is stopped and the folder removed when this process ends in any way, `kill -9` included.
 */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeEmbeddedPostgresData, startEmbeddedPostgres, whenOwnerEnds } from "@ridegrid/runtime";
import { testServerConnectionsMax } from "./limits.ts";

export interface TestServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** `binaries` is a folder with another Postgres to run. */
export async function startTestServer({ binaries }: { readonly binaries?: string } = {}): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), "ridegrid-test-"));
  // As root the server runs as another user, who must be able to enter.
  chmodSync(folder, 0o755);
  const dataDir = join(folder, "postgres");
  const server = await startEmbeddedPostgres({
    dataDir,
    fast: true,
    settings: { max_connections: String(testServerConnectionsMax), autovacuum: "off" },
    ...(binaries === undefined ? {} : { binaries }),
  });
  const watcher = whenOwnerEnds(endServer, [String(server.pid), server.dataDir, folder]);
  return {
    url: server.url,
    async stop() {
      await server.stop();
      removeEmbeddedPostgresData(dataDir);
      rmSync(folder, { recursive: true, force: true });
      watcher.cancel();
    },
  };
}

/** The lock file goes when the server has ended; its process may stay unreaped for long. */
const endServer = 'kill -INT "$1"; i=0; while [ -e "$2/postmaster.pid" ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done; rm -rf "$2" "$3"';
