/** A mesh of its own and a load in a process of its own, for a figure; whatever happens to the figure, both are gone after it. */
import { join } from "node:path";
import { type Command, type LineProgram, startProgram } from "@ridegrid/testing";
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

/** A file of `test-programs`. */
export function startLoad(name: string, options: Command): LineProgram {
  return startProgram(join(import.meta.dir, "test-programs", name), options);
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
