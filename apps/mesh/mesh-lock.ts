/**
 * One mesh for each data folder: whoever makes `DIR/mesh.lock` first has it, until it stops or its process is gone.
 *
 * The lock is taken before anything is started, `mesh.json` appears only when all is ready.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { identityOf, isSameProcess, type ProcessIdentity } from "./process-identity.ts";

export type LockOutcome = { readonly kind: "taken"; release(): void } | { readonly kind: "held"; readonly by: ProcessIdentity };

export function takeMeshLock(directory: string): LockOutcome {
  const path = join(directory, "mesh.lock");
  for (;;) {
    try {
      writeFileSync(path, JSON.stringify(identityOf(process.pid)), { flag: "wx" });
      return { kind: "taken", release: () => rmSync(path, { force: true }) };
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
    const by = readLock(path);
    if (by !== undefined && isSameProcess(by)) return { kind: "held", by };
    // Its process was killed, or wrote half of it and died.
    rmSync(path, { force: true });
  }
}

function readLock(path: string): ProcessIdentity | undefined {
  try {
    const lock: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof lock !== "object" || lock === null || !("pid" in lock) || !("startedAt" in lock)) return undefined;
    return typeof lock.pid === "number" && typeof lock.startedAt === "string" ? { pid: lock.pid, startedAt: lock.startedAt } : undefined;
  } catch {
    return undefined;
  }
}
