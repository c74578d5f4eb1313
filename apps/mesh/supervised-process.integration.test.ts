/** Children of the mesh: back when they die, gone when they are stopped or when the mesh is gone. */
import { afterAll, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "@ridegrid/testing";
import { meshLogger } from "./host-process.ts";
import { isAlive } from "./process-identity.ts";
import { type SupervisedProcess, superviseProcess } from "./supervised-process.ts";

const folder = mkdtempSync(join(tmpdir(), "ridegrid-child-"));
afterAll(() => rmSync(folder, { recursive: true }));

function script(name: string, code: string): string {
  const path = join(folder, `${name}.ts`);
  writeFileSync(path, code);
  return path;
}

const patient = script(
  "patient",
  'process.on("SIGTERM", () => { console.log("finishing"); process.exit(0); }); setInterval(() => {}, 1000); console.log("up");',
);

function supervise(path: string, lines: string[], pids: number[]): SupervisedProcess {
  return superviseProcess({
    name: "child",
    script: [path],
    env: { PATH: process.env["PATH"] },
    stopTimeoutMs: 500,
    logger: meshLogger("readable", "silent"),
    write: (line) => void lines.push(line),
    onStart: (pid) => void pids.push(pid),
  });
}

test("superviseProcess() starts a killed child again within a second and prefixes its lines", async () => {
  const lines: string[] = [];
  const pids: number[] = [];
  const child = supervise(patient, lines, pids);
  await eventually(() => lines.length === 1, { what: "the first life" });
  process.kill(child.pid() ?? 0, "SIGKILL");
  await eventually(() => pids.length === 2, { timeoutMs: 1_000, what: "the second life" });
  await eventually(() => lines.length === 2, { what: "its line" });
  expect(lines).toEqual(["[child] up\n", "[child] up\n"]);
  await child.stop();
  expect(pids.map(isAlive)).toEqual([false, false]);
  expect(lines.at(-1)).toBe("[child] finishing\n");
});

test("superviseProcess() kills a child that does not stop in time", async () => {
  const lines: string[] = [];
  const child = supervise(script("deaf", 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log("up");'), lines, []);
  await eventually(() => lines.length === 1, { what: "the child" });
  const pid = child.pid() ?? 0;
  await child.stop();
  expect(isAlive(pid)).toBe(false);
});

test("a child ends, in order, when the process that holds its leash is killed", async () => {
  const holder = script(
    "holder",
    `import { superviseProcess } from ${JSON.stringify(join(import.meta.dir, "supervised-process.ts"))};
     const logger = new Proxy({}, { get: () => () => {} });
     superviseProcess({ name: "child", script: [${JSON.stringify(patient)}], env: process.env, stopTimeoutMs: 500, logger, write: () => {}, onStart: (pid) => console.log(pid) });`,
  );
  const parent = spawn(process.execPath, [holder], { stdio: ["ignore", "pipe", "inherit"] });
  const pid = await new Promise<number>((resolve) => parent.stdout.once("data", (chunk: Buffer) => resolve(Number(String(chunk)))));
  expect(isAlive(pid)).toBe(true);
  parent.kill("SIGKILL");
  await eventually(() => !isAlive(pid), { timeoutMs: 5_000, what: "the child's end" });
});
