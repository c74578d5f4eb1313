/** A program notices that the launcher above it is gone, and is not fooled by the person's own shell. */
import { afterAll, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "@ridegrid/testing";
import { isAlive } from "./process-identity.ts";

const folder = mkdtempSync(join(tmpdir(), "ridegrid-launcher-"));
afterAll(() => rmSync(folder, { recursive: true }));
const program = join(folder, "program.ts");
writeFileSync(
  program,
  `import { untilAskedToStop } from ${JSON.stringify(join(import.meta.dir, "signals.ts"))}; console.log(process.pid); await untilAskedToStop(); process.exit(0);`,
);
writeFileSync(join(folder, "package.json"), JSON.stringify({ scripts: { go: "bun program.ts" } }));

async function pidPrintedBy(command: string, args: readonly string[]): Promise<{ readonly parent: number; readonly pid: number }> {
  const child = spawn(command, args, { cwd: folder, stdio: ["ignore", "pipe", "ignore"], detached: true });
  const pid = await new Promise<number>((resolve) => {
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      text += String(chunk);
      if (/\d+\n/.test(text)) resolve(Number(text));
    });
  });
  return { parent: child.pid ?? 0, pid };
}

test("a program under bun run ends when bun run is killed and could pass no signal on", async () => {
  const { parent, pid } = await pidPrintedBy(process.execPath, ["run", "go"]);
  expect(parent).not.toBe(pid);
  process.kill(parent, "SIGKILL");
  await eventually(() => !isAlive(pid), { timeoutMs: 5_000, what: "the program's end" });
});

test("a program that a script put into the background outlives the script", async () => {
  const { pid } = await pidPrintedBy("sh", ["-c", `"${process.execPath}" program.ts & exit 0`]);
  await eventually(() => parentIsInit(pid), { timeoutMs: 5_000, what: "the script's end" });
  // Three looks of the watch.
  await Bun.sleep(1_600);
  expect(isAlive(pid)).toBe(true);
  process.kill(pid, "SIGTERM");
  await eventually(() => !isAlive(pid), { timeoutMs: 5_000, what: "the program's end" });
});

function parentIsInit(pid: number): boolean {
  const stat = Bun.spawnSync({ cmd: ["ps", "-o", "comm=", "-p", String(Bun.spawnSync({ cmd: ["ps", "-o", "ppid=", "-p", String(pid)] }).stdout).trim()] });
  return !String(stat.stdout).startsWith("sh");
}
