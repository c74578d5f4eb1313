/**
 * The gate: types, format, lint, the protos' lint and compatibility, generated code fresh, the architecture, dead code.
 *
 * Every step runs, whatever the ones before it found; a failed one's output is printed, and the exit code is 1.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { contractBaseline, generateAll, generatedPaths, toolPath } from "./generate.ts";

const root = dirname(import.meta.dir);
const bun = process.execPath;
const tool = (name: string): readonly [string, string] => [bun, join(root, "node_modules/.bin", name)];

type StepResult = { readonly ok: boolean; readonly output: string };
type Step = { readonly name: string; run(): Promise<StepResult> };

const steps: readonly Step[] = [
  { name: "types", run: () => command([bun, "check", "--no-script"]) },
  { name: "format", run: () => command([bun, "fmt", "--no-script", "--check"]) },
  { name: "lint", run: () => command([...tool("oxlint"), "--type-aware"]) },
  { name: "proto lint", run: () => command([...tool("buf"), "lint"]) },
  { name: "proto compatibility", run: () => command([...tool("buf"), "breaking", "--against", contractBaseline]) },
  { name: "generated code fresh", run: generatedFresh },
  { name: "architecture", run: () => command([bun, "test", "packages/testing/architecture.test.ts"]) },
  { name: "dead code", run: () => command([...tool("knip"), "--no-progress", "--no-config-hints", "--exclude", "types,duplicates"]) },
];

const failed: string[] = [];
for (const step of steps) {
  const startedMs = performance.now();
  const { ok, output } = await step.run().catch((error: unknown) => ({ ok: false, output: String(error) }));
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  process.stdout.write(`${ok ? "ok  " : "FAIL"} ${step.name} (${seconds} s)\n`);
  if (ok) continue;
  failed.push(step.name);
  process.stdout.write(`${output.trimEnd()}\n\n`);
}
process.stdout.write(failed.length === 0 ? `check: all ${steps.length} steps passed\n` : `check: failed: ${failed.join(", ")}\n`);
process.exit(failed.length === 0 ? 0 : 1);

async function command(args: readonly string[]): Promise<StepResult> {
  const child = Bun.spawn([...args], { cwd: root, env: { ...process.env, PATH: toolPath(), NO_COLOR: "1" }, stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  return { ok: code === 0, output: stdout + stderr };
}

async function generatedFresh(): Promise<StepResult> {
  const folder = mkdtempSync(join(tmpdir(), "ridegrid-generated-"));
  try {
    await generateAll(folder);
    const results = await Promise.all(generatedPaths.map((path) => command(["diff", "-r", "-q", join(folder, path), join(root, path)])));
    const stale = results.filter((result) => !result.ok).map((result) => result.output);
    return { ok: stale.length === 0, output: `Run "bun run gen" and commit the result:\n${stale.join("")}` };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
