/**
 * What is to happen when this process has ended in any way, `kill -9` included: a server for its use must not outlive it.
 *
 * A shell waits for the end of a pipe that this process holds and never writes to; the kernel ends it whatever happens.
 */
import { spawn } from "node:child_process";
import { ownerlessServerStopTimeoutSeconds } from "./limits.ts";

export interface OwnerWatch {
  cancel(): void;
}

/** `script` is for `/bin/sh`, with `args` as `$1` and so on. */
export function whenOwnerEnds(script: string, args: readonly string[]): OwnerWatch {
  const shell = spawn("/bin/sh", ["-c", `read -r _; ${script}`, "ridegrid-owner-watch", ...args], {
    detached: true,
    cwd: "/",
    stdio: ["pipe", "ignore", "ignore"],
  });
  shell.unref();
  // The pipe must not keep a finished process alive.
  if (shell.stdin !== null && "unref" in shell.stdin && typeof shell.stdin.unref === "function") shell.stdin.unref();
  return { cancel: () => void shell.kill("SIGKILL") };
}

/** Asks the process to end, a paused one too, and kills it when that takes too long. */
export function endWithOwner(pid: number): OwnerWatch {
  const script = 'kill -TERM "$1"; kill -CONT "$1"; i=0; while kill -0 "$1" && [ $i -lt "$2" ]; do sleep 1; i=$((i+1)); done; kill -KILL "$1"';
  return whenOwnerEnds(script, [String(pid), String(ownerlessServerStopTimeoutSeconds)]);
}
