/** A mesh of its own and a load in a process of its own, for a figure; whatever happens to the figure, both are gone after it. */
import { createInterface } from "node:readline";
import { join } from "node:path";
import { Readable } from "node:stream";
import { createMeshFolder } from "./mesh.fixture.ts";
import type { MeshFile } from "./mesh-file.ts";
import { cpuBetween, cpuUsedBy } from "./process-usage.ts";

/** `dev --no-city` with more flags, ready, until `use` has ended or the signal aborts. */
export async function withMesh<T>(flags: readonly string[], signal: AbortSignal, use: (file: MeshFile) => Promise<T>): Promise<T> {
  const folder = await createMeshFolder();
  try {
    await folder.dev("--no-city", ...flags);
    return await orStopped(use(folder.file()), signal);
  } finally {
    await folder.reap();
  }
}

export interface LoadProgram extends AsyncDisposable {
  readonly pid: number;
  /** One command, one answer; one at a time. @throws when the program ended instead. */
  ask<T>(command: Readonly<Record<string, unknown>>): Promise<T>;
}

/** A file of `test-programs`: it reads a JSON command a line and answers each with a line of JSON. It ends when its input does. */
export function startProgram(name: string, options: Readonly<Record<string, unknown>>): LoadProgram {
  const script = join(import.meta.dir, "test-programs", name);
  const child = Bun.spawn([process.execPath, script, JSON.stringify(options)], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: Readable.fromWeb(child.stdout) })[Symbol.asyncIterator]();
  return {
    pid: child.pid,
    async ask(command) {
      void child.stdin.write(`${JSON.stringify(command)}\n`);
      void child.stdin.flush();
      const next = await lines.next();
      if (next.done === true) throw new Error(`Cannot ask ${name} for ${JSON.stringify(command)}: it ended with ${await child.exited}`);
      return JSON.parse(next.value);
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** What `work` answered, and the CPU-seconds that each of these processes used meanwhile. */
export async function withCpu<T>(
  pids: () => Readonly<Record<string, number>>,
  work: () => Promise<T>,
): Promise<{ readonly answer: T; readonly cpu: ReadonlyMap<string, number> }> {
  const before = cpuUsedBy(pids());
  const answer = await work();
  return { answer, cpu: cpuBetween(before, cpuUsedBy(pids())) };
}

/** Rejects when the signal aborts, whatever the work does. */
function orStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  if (signal.aborted) reject(signal.reason);
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  return Promise.race([work, promise]);
}
