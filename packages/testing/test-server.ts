/**
 * One Postgres server for a whole test run, without durability, in a temporary folder that goes away with it.
 *
 * A watcher process stops it and removes the folder when this process ends in any way, `kill -9` included.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeEmbeddedPostgresData, startEmbeddedPostgres } from "@ridegrid/runtime";
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
  const watcher = watch(server.pid, [server.dataDir, folder]);
  return {
    url: server.url,
    async stop() {
      await server.stop();
      removeEmbeddedPostgresData(dataDir);
      rmSync(folder, { recursive: true, force: true });
      watcher.kill("SIGKILL");
    },
  };
}

/** Its standard input is a pipe from this process; the pipe's end is this process's end. */
function watch(pid: number, folders: readonly string[]): ChildProcess {
  // The lock file goes when the server has ended; its process may stay unreaped for long.
  const script = 'read -r _; kill -INT "$1"; i=0; while [ -e "$2/postmaster.pid" ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done; rm -rf "$2" "$3"';
  const watcher = spawn("/bin/sh", ["-c", script, "ridegrid-test-watcher", String(pid), ...folders], {
    detached: true,
    cwd: "/",
    stdio: ["pipe", "ignore", "ignore"],
  });
  watcher.unref();
  // The pipe must not keep a finished test process alive.
  if (watcher.stdin !== null && "unref" in watcher.stdin && typeof watcher.stdin.unref === "function") watcher.stdin.unref();
  return watcher;
}
