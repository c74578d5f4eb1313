/**
 * Whether a recorded process is still that process: a pid alone may have gone to somebody else.
 *
 * On Linux the kernel's start time tells them apart; elsewhere being alive has to do.
 */
import { readFileSync } from "node:fs";

/** `startedAt` is the kernel's count of ticks, empty where it is not to be had. */
export type ProcessIdentity = { readonly pid: number; readonly startedAt: string };

export function identityOf(pid: number): ProcessIdentity {
  return { pid, startedAt: statFields(pid)?.[19] ?? "" };
}

export function isSameProcess({ pid, startedAt }: ProcessIdentity): boolean {
  if (!isAlive(pid)) return false;
  return startedAt === "" || identityOf(pid).startedAt === startedAt;
}

/** A zombie is not alive: it holds nothing and answers nobody. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
  return statFields(pid)?.[0] !== "Z";
}

/** The parent by the kernel's word; undefined where there is no /proc. `process.ppid` is not renewed on every platform. */
export function parentOf(pid: number): number | undefined {
  const parent = statFields(pid)?.[1];
  return parent === undefined ? undefined : Number(parent);
}

/** The fields of /proc/PID/stat after the command, which may itself hold spaces and parentheses: state, ppid, … */
function statFields(pid: number): readonly string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}
