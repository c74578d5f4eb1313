/** Servers that end with who started them, however that ended. */
import { afterAll, afterEach, expect, test } from "bun:test";
import { existsSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isAlive } from "./embedded-postgres-data.ts";
import { kafkaBrokerMissing } from "./kafka-broker.ts";
import { makeScratchFolder } from "./postgres.fixture.ts";

const startTimeoutMs = 120_000;
const endTimeoutMs = 60_000;
const folder = makeScratchFolder();
const left: number[] = [];

afterEach(() => {
  for (const pid of left.splice(0)) if (isAlive(pid)) process.kill(pid, "SIGKILL");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs until it is killed; answers the first line that it prints. */
async function startOwner(...command: readonly string[]): Promise<{ readonly printed: string; kill(): Promise<unknown> }> {
  // The run of the tests has every process killed whose parent died: nothing would be left to happen.
  const { BUN_FEATURE_FLAG_NO_ORPHANS: _, ...env } = process.env;
  const owner = Bun.spawn([process.execPath, ...command], { cwd: import.meta.dir, env, stdio: ["ignore", "pipe", "inherit"] });
  left.push(owner.pid);
  const output = owner.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let printed = "";
  while (!printed.includes("\n")) {
    const { value, done } = await output.read();
    if (done) throw new Error(`The owner ended with ${await owner.exited} after it had printed "${printed}"`);
    printed += value;
  }
  return {
    printed: printed.slice(0, printed.indexOf("\n")),
    kill() {
      owner.kill("SIGKILL");
      return owner.exited;
    },
  };
}

async function until(met: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + endTimeoutMs;
  while (!met()) {
    if (performance.now() > deadline) throw new Error(`Waited ${endTimeoutMs} ms for ${what}`);
    await delay(20);
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

const missing = kafkaBrokerMissing();
if (missing === null) {
  test(
    "a broker ends with its owner who is killed, even while it is paused",
    async () => {
      const program = join("test-programs", "own-kafka-broker.ts");
      const owner = await startOwner(program, join(folder, "kafka"), String(await freePort()), String(await freePort()));
      const broker = Number(owner.printed);
      left.push(broker);
      process.kill(broker, "SIGSTOP");
      await owner.kill();
      await until(() => !isAlive(broker), `the end of the broker (pid ${broker})`);
    },
    startTimeoutMs + endTimeoutMs,
  );
} else {
  test.skip(`a broker ends with its owner (${missing})`, () => {});
}

test(
  "what is to happen when the owner ends does not happen before, nor when it was cancelled, and children of the owner do not put it off",
  async () => {
    const [done, cancelled] = [join(folder, "done"), join(folder, "cancelled")];
    const program = `
      import { spawn } from "node:child_process";
      import { whenOwnerEnds } from "./owner-watch.ts";
      whenOwnerEnds('touch "$1"', [${JSON.stringify(cancelled)}]).cancel();
      whenOwnerEnds('sleep 0.2; touch "$1"', [${JSON.stringify(done)}]);
      console.log(spawn("sleep", ["60"], { detached: true, stdio: "ignore" }).pid);
      setInterval(() => {}, 60_000);`;
    const owner = await startOwner("-e", program);
    left.push(Number(owner.printed));
    expect(existsSync(done)).toBe(false);
    await owner.kill();
    await until(() => existsSync(done), "what was to happen");
    expect(existsSync(cancelled)).toBe(false);
  },
  startTimeoutMs + endTimeoutMs,
);
