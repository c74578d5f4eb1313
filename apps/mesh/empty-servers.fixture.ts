/** What a mesh is compared with: the same embedded Postgres without anything of ours in it, and a process with an empty Bun.serve. */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { endWithOwner, startEmbeddedPostgres } from "@ridegrid/runtime";
import { freePort } from "@ridegrid/testing";
import { resetPostgres } from "./kept-postgres.ts";

export async function withEmptyServers<T>(use: (pids: Readonly<Record<string, number>>) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "ridegrid-empty-"));
  // As root, Postgres runs as another user who must be able to come in.
  chmodSync(directory, 0o755);
  const server = await startEmptyServer();
  try {
    const postgres = await startEmbeddedPostgres({ dataDir: join(directory, "postgres"), port: await freePort() });
    const watch = endWithOwner(postgres.pid);
    return await use({ postgres: postgres.pid, server: server.pid }).finally(() => watch.cancel());
  } finally {
    server.stop();
    await resetPostgres(directory);
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Resolves when it answers. */
export async function startEmptyServer(): Promise<{ readonly pid: number; stop(): void }> {
  const program = `const { Hono } = await import("hono"); const app = new Hono().get("/", (c) => c.text("ok")); console.log(Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: app.fetch }).port); for await (const _ of process.stdin); process.exit()`;
  const child = Bun.spawn([process.execPath, "-e", program], { cwd: import.meta.dir, stdio: ["pipe", "pipe", "inherit"] });
  for await (const port of createInterface({ input: Readable.fromWeb(child.stdout) })) {
    await fetch(`http://127.0.0.1:${port}/`);
    break;
  }
  return { pid: child.pid, stop: () => child.kill("SIGKILL") };
}
