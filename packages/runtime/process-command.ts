/** The command line of a process by the kernel's word: a pid alone may have gone to somebody else. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

/** Empty when the process is gone, or dead and not yet reaped. */
export function commandOf(pid: number): string {
  if (!existsSync("/proc/self/cmdline")) return String(spawnSync("ps", ["-p", String(pid), "-o", "command="]).stdout);
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}
