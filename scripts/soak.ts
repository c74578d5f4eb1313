/**
 * Runs what takes too long for every change: each `*.soak.ts` of the tree, one after the other, against one Postgres
 * server of its own. `bun run soak [PART OF A PATH…] [--only PART OF A NAME]`; each prints what it counted.
 */
import { parseArgs } from "node:util";
import { dirname } from "node:path";
import { startTestServer } from "../packages/testing/test-server.ts";

const root = dirname(import.meta.dir);
/** One soak; those that take longer say so themselves. */
const soakTimeoutMs = 10 * 60_000;

const { values, positionals: asked } = parseArgs({ options: { only: { type: "string" } }, allowPositionals: true });
/** A part of a name, not a pattern. */
const only = values.only === undefined ? [] : [`--test-name-pattern=${values.only.replaceAll(/[^\w\s]/g, String.raw`\$&`)}`];
const files = [...new Bun.Glob("{apps,packages}/*/**/*.soak.ts").scanSync({ cwd: root })]
  .filter((path) => !path.includes("node_modules") && (asked.length === 0 || asked.some((part) => path.includes(part))))
  .toSorted();
if (files.length === 0) {
  process.stderr.write(`Cannot run a soak: no file matches ${asked.map((part) => `"${part}"`).join(", ")}\n`);
  process.exit(1);
}

const failed: string[] = [];
const server = await startTestServer();
try {
  for (const file of files) {
    const child = Bun.spawn([process.execPath, "test", ...only, `./${file}`], {
      cwd: root,
      env: { ...process.env, TEST_DATABASE_URL: server.url, TEST_TIMEOUT_MS: String(soakTimeoutMs) },
      stdio: ["ignore", "inherit", "inherit"],
    });
    if ((await child.exited) !== 0) failed.push(file);
  }
} finally {
  await server.stop();
}
for (const file of failed) process.stdout.write(`failed: ${file}\n`);
process.stdout.write(`${files.length - failed.length} soaks passed, ${failed.length} failed\n`);
process.exit(failed.length === 0 ? 0 : 1);
