/** The embedded server: adopted when it runs, started again after a crash, never started twice. */
import { afterAll, expect, test } from "bun:test";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { removeEmbeddedPostgresData } from "./embedded-postgres-data.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "./embedded-postgres.ts";
import { makeScratchFolder } from "./postgres.fixture.ts";
import { createPostgres } from "./postgres.ts";

const folder = makeScratchFolder();
const dataDir = join(folder, "postgres");
let server: EmbeddedPostgres | undefined;

afterAll(async () => {
  await server?.stop();
  removeEmbeddedPostgresData(dataDir);
  rmSync(folder, { recursive: true, force: true });
});

async function start(): Promise<EmbeddedPostgres> {
  server = await startEmbeddedPostgres({ dataDir });
  return server;
}

async function rides(): Promise<number> {
  if (server === undefined) throw new Error("not started");
  const sql = createPostgres({ url: server.url, max: 1 });
  await sql`CREATE TABLE IF NOT EXISTS ride (id bigint GENERATED ALWAYS AS IDENTITY)`;
  await sql`INSERT INTO ride DEFAULT VALUES`;
  const [row] = await sql<{ count: number }[]>`SELECT count(*) AS count FROM ride`;
  await sql.end();
  return row?.count ?? 0;
}

test("startEmbeddedPostgres() adopts a running server, survives its crash and a stale lock, and keeps what was committed", async () => {
  const first = await start();
  expect(await rides()).toBe(1);
  const adopted = await start();
  expect({ adopted: adopted.adopted, pid: adopted.pid }).toEqual({ adopted: true, pid: first.pid });

  process.kill(first.pid, "SIGKILL");
  const restarted = await start();
  expect(restarted.pid).not.toBe(first.pid);
  expect(await rides()).toBe(2);

  const lock = readFileSync(join(restarted.dataDir, "postmaster.pid"), "utf8");
  await restarted.stop();
  expect(restarted.alive()).toBe(false);
  // As after a reboot: the lock's number belongs to another program now, this one.
  writeFileSync(join(restarted.dataDir, "postmaster.pid"), lock.replace(/^\d+/, String(process.pid)));
  const afterReboot = await start();
  expect(afterReboot.adopted).toBe(false);
  expect(await rides()).toBe(3);
}, 30_000);

test("startEmbeddedPostgres() called twice at once starts one server", async () => {
  await server?.stop();
  const [left, right] = await Promise.all([startEmbeddedPostgres({ dataDir }), startEmbeddedPostgres({ dataDir })]);
  server = left;
  expect(left.pid).toBe(right.pid);
}, 30_000);
