/**
 * Runs one of our programs in this very process, after making sure that what it imports is installed.
 *
 * `bun scripts/run.ts FILE ARGS…`: installs from the frozen lockfile when the lockfile or a patch changed since the last
 * install here. It imports nothing but the runtime's own modules, so that it works in a bare clone.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join, resolve } from "node:path";

const root = dirname(import.meta.dir);
const marker = join(root, "node_modules", ".ridegrid-installed");

const [target, ...args] = process.argv.slice(2);
if (target === undefined) fail("Usage: bun scripts/run.ts FILE ARGS…");
const program = resolve(root, target);
if (!existsSync(program)) fail(`Cannot run "${target}": there is no such file in ${root}`);
const justInstalled = ensureInstalled();
if (justInstalled) {
  // This process has already looked for packages that were not there; a fresh one looks again.
  runAgain(program, args);
} else {
  process.argv.splice(1, process.argv.length - 1, program, ...args);
  await import(program);
}

function ensureInstalled(): boolean {
  const wanted = fingerprint();
  if (existsSync(marker) && readFileSync(marker, "utf8") === wanted) return false;
  process.stderr.write("Installing what bun.lock names …\n");
  // Standard output belongs to the program: `--json` promises nothing else on it.
  const { status, error } = spawnSync(process.execPath, ["install", "--frozen-lockfile"], { cwd: root, stdio: ["ignore", 2, 2] });
  if (status !== 0) fail(`Cannot install dependencies: "bun install --frozen-lockfile" ended with ${error?.message ?? status}`);
  writeFileSync(marker, wanted);
  return true;
}

function fingerprint(): string {
  const patches = join(root, "patches");
  const files = [join(root, "bun.lock"), ...(existsSync(patches) ? readdirSync(patches).toSorted() : []).map((name) => join(patches, name))];
  const hash = createHash("sha256");
  for (const file of files) hash.update(readFileSync(file));
  return `${hash.digest("hex")} ${process.platform}-${process.arch}\n`;
}

/** Hands on every signal and ends as the program ends. */
function runAgain(file: string, rest: readonly string[]): void {
  const child = spawn(process.execPath, [file, ...rest], { stdio: "inherit" });
  child.once("exit", (code, signal) => process.exit(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
