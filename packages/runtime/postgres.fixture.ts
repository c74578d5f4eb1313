/** A Postgres for this package's own tests, which cannot use `@ridegrid/testing`: that package builds on this one. */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeEmbeddedPostgresData } from "./embedded-postgres-data.ts";
import { startEmbeddedPostgres } from "./embedded-postgres.ts";
import { createPostgres } from "./postgres.ts";

export interface ScratchDatabase {
  readonly url: string;
  drop(): Promise<void>;
}

/** On the server of `TEST_DATABASE_URL`, else on one of its own that `drop()` stops. */
export async function createScratchDatabase(): Promise<ScratchDatabase> {
  const given = process.env["TEST_DATABASE_URL"];
  const server = given === undefined || given === "" ? await startScratchServer() : { url: given, stop: async () => {} };
  const name = `scratch_${Bun.randomUUIDv7().replaceAll("-", "")}`;
  const admin = createPostgres({ url: server.url, max: 1 });
  await admin.unsafe(`CREATE DATABASE ${name} TEMPLATE template0 STRATEGY file_copy`);
  const url = new URL(server.url);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    async drop() {
      await admin.unsafe(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await admin.end();
      await server.stop();
    },
  };
}

async function startScratchServer(): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const folder = makeScratchFolder();
  const dataDir = join(folder, "postgres");
  const server = await startEmbeddedPostgres({ dataDir, fast: true });
  return {
    url: server.url,
    async stop() {
      await server.stop();
      removeEmbeddedPostgresData(dataDir);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Open to the user that Postgres runs as when the tests run as root. */
export function makeScratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "ridegrid-runtime-"));
  chmodSync(folder, 0o755);
  return folder;
}
