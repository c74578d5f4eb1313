/**
 * `bun run conformance`: the official Connect conformance suite against the edge, the public port and then the native one.
 *
 * Builds the suite from the Go module proxy when it is not there. Prints its own summaries; the exit code is 1 when a case
 * fails that the port's `known-failures.txt` does not name, or one passes that it does.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";

const version = "v1.0.7";
const folder = import.meta.dir;

const goPath = await output(["go", "env", "GOPATH"]);
const suite = join(goPath, "bin", "connectconformance");
const isThere = existsSync(suite) && (await output([suite, "--version"])).endsWith(version);
if (!isThere && (await run(["go", "install", `connectrpc.com/conformance/cmd/connectconformance@${version}`])) !== 0) {
  process.stderr.write(`Cannot run the conformance suite: "go install" could not build ${version} of it\n`);
  process.exit(1);
}

let failed = false;
for (const port of ["public", "native"]) {
  process.stdout.write(`\nThe ${port} port (${port}.yaml):\n`);
  const skipped = join(folder, `${port}.skipped.txt`);
  const lists = ["--known-failing", `@${join(folder, `${port}.known-failures.txt`)}`, ...(existsSync(skipped) ? ["--skip", `@${skipped}`] : [])];
  const server = ["--", process.execPath, join(folder, "server-under-test.ts")];
  // One server at a time, few calls at once: it must pass on a small machine too.
  const code = await run([suite, "--mode", "server", "--conf", join(folder, `${port}.yaml`), "--max-servers", "1", "--parallel", "4", ...lists, ...server]);
  failed ||= code !== 0;
}
process.exit(failed ? 1 : 0);

async function run(command: readonly string[]): Promise<number> {
  return Bun.spawn([...command], { stdio: ["ignore", "inherit", "inherit"] }).exited;
}

async function output(command: readonly string[]): Promise<string> {
  if (Bun.which(command[0] ?? "") === null) {
    process.stderr.write(`Cannot run the conformance suite: it needs Go, and "${command[0]}" is not here\n`);
    process.exit(1);
  }
  return (await new Response(Bun.spawn([...command], { stdout: "pipe" }).stdout).text()).trim();
}
