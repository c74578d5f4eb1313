/** A folder has one mesh: a live holder keeps its lock, a dead one loses it. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { takeMeshLock } from "./mesh-lock.ts";
import { identityOf } from "./process-identity.ts";

function inFolder(check: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "ridegrid-lock-"));
  try {
    check(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("takeMeshLock() takes a free folder, tells who holds a taken one, and gives it back", () => {
  inFolder((folder) => {
    const first = takeMeshLock(folder);
    if (first.kind !== "taken") throw new Error("the folder was free");
    expect(takeMeshLock(folder)).toEqual({ kind: "held", by: identityOf(process.pid) });
    first.release();
    expect(takeMeshLock(folder).kind).toBe("taken");
  });
});

test("takeMeshLock() takes over from a process that is gone, and from another that has its number now", () => {
  inFolder((folder) => {
    const gone = Bun.spawnSync({ cmd: ["true"] }).pid;
    writeFileSync(join(folder, "mesh.lock"), JSON.stringify({ pid: gone, startedAt: "" }));
    expect(takeMeshLock(folder).kind).toBe("taken");
  });
  inFolder((folder) => {
    writeFileSync(join(folder, "mesh.lock"), JSON.stringify({ pid: process.pid, startedAt: "1" }));
    expect(takeMeshLock(folder).kind).toBe("taken");
  });
});

test("takeMeshLock() takes over a lock that was written by half", () => {
  inFolder((folder) => {
    writeFileSync(join(folder, "mesh.lock"), '{"pid":');
    expect(takeMeshLock(folder).kind).toBe("taken");
  });
});
