/**
 * Runs every test of the tree against one Postgres server of its own, and ends with `N passed, N failed, N skipped`.
 *
 * `bun run test [FILE OR PATTERN…]`. Files run side by side in processes, each test on a database of its own. Skipped
 * tests are listed at the end by their names, which say why; failed ones again with what they said. The server and its
 * folder go away however this ends.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { startTestServer } from "../packages/testing/test-server.ts";
import { parseTestReport, type Suite, totalsOf } from "./test-report.ts";

const root = dirname(import.meta.dir);
/** All of them: a run that hangs must still say what it saw. */
const runTimeoutMs = 20 * 60_000;
/** Of what a failed test said, at the end: it stands whole where the test ran. */
const failureCharsMax = 4_000;

const folder = mkdtempSync(join(tmpdir(), "ridegrid-report-"));
const server = await startTestServer();
process.exitCode = 1;
try {
  process.exitCode = await runAll();
} finally {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exit();

async function runAll(): Promise<number> {
  const report = join(folder, "report.xml");
  const flags = ["--parallel", "--no-orphans", "--reporter=junit", `--reporter-outfile=${report}`];
  const child = Bun.spawn([process.execPath, "test", ...flags, ...process.argv.slice(2)], {
    cwd: root,
    env: { ...process.env, TEST_DATABASE_URL: server.url },
    stdio: ["ignore", "inherit", "inherit"],
    timeout: runTimeoutMs,
  });
  let interrupted: "SIGINT" | "SIGTERM" | undefined;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      interrupted = signal;
      child.kill("SIGTERM");
    });
  }
  const code = await child.exited;
  if (interrupted !== undefined) return 128 + constants.signals[interrupted];
  const suites = readReport(report);
  print(suites, code);
  const { failed } = totalsOf(suites);
  return failed > 0 ? 1 : code;
}

function readReport(path: string): readonly Suite[] {
  try {
    return parseTestReport(readFileSync(path, "utf8"));
  } catch (cause) {
    process.stderr.write(`Cannot read the test report: ${String(cause)}\n`);
    return [];
  }
}

function print(suites: readonly Suite[], code: number): void {
  const lines = suites.map(
    (suite) => `${suite.file}: ${suite.passed} passed, ${suite.failed.length} failed, ${suite.skipped.length} skipped (${suite.seconds.toFixed(1)} s)`,
  );
  const skipped = suites.flatMap((suite) => suite.skipped.map((name) => `skipped: ${suite.file}: ${name}`));
  const failures = suites.flatMap((suite) => suite.failed.map(({ name, message }) => `failed: ${suite.file}: ${name}\n${message.slice(0, failureCharsMax)}`));
  const totals = totalsOf(suites);
  // A file that does not load, or a run cut short, fails no test by name; it must not read as a success.
  const failed = totals.failed === 0 && code !== 0 ? 1 : totals.failed;
  if (failed !== totals.failed) process.stdout.write(`\nbun test ended with ${code} without naming a failed test: see above\n`);
  process.stdout.write(`\n${[...lines, ...skipped, ...failures].join("\n")}\n${totals.passed} passed, ${failed} failed, ${totals.skipped} skipped\n`);
}
