/**
 * A child that is kept running: restarted with back-off when it ends, unless it is to stay down, its output prefixed with its name, stopped with
 * time to finish. It lives in a session of its own, so that a Ctrl-C reaches the mesh alone, which stops in order.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { Logger } from "@ridegrid/runtime";
import { childHealthyAfterMs, childKeptDownLookMs, childRestartDelayMaxMs, childRestartDelayMinMs } from "./limits.ts";

export type SupervisedOptions = {
  readonly name: string;
  /** A script of ours and its arguments; run by this program's own Bun, on the mesh's leash. */
  readonly script: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stopTimeoutMs: number;
  readonly logger: Logger;
  /** Where the child's lines go, prefixed. */
  readonly write: (line: string) => void;
  /** Whether it is to stay down for now; asked when it has died, and then now and then. Never when left out. */
  readonly isKeptDown?: () => boolean;
  /** Called at each start, the first included. */
  readonly onStart: (pid: number) => void;
};

export interface SupervisedProcess {
  readonly name: string;
  pid(): number | undefined;
  /** Ends the child cleanly and starts it again at once. */
  restart(): Promise<void>;
  /** Resolves when the child is gone. Safe to call twice. */
  stop(): Promise<void>;
}

export function superviseProcess(options: SupervisedOptions): SupervisedProcess {
  let child = launch(options);
  let startedAtMs = performance.now();
  let delayMs = childRestartDelayMinMs;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopping = false;
  let replacing = false;
  watch(child);

  /** Told only when `pid()` answers the new child's. */
  function watch(watched: ChildProcess): void {
    if (watched.pid !== undefined) options.onStart(watched.pid);
    watched.once("exit", (code, signal) => {
      if (stopping || replacing) return;
      if (performance.now() - startedAtMs >= childHealthyAfterMs) delayMs = childRestartDelayMinMs;
      options.logger.warn(`${options.name} ended with ${signal ?? code}; starting it again in ${delayMs} ms`);
      timer = setTimeout(start, delayMs);
      delayMs = Math.min(delayMs * 2, childRestartDelayMaxMs);
    });
  }

  function start(): void {
    if (options.isKeptDown?.() === true) {
      timer = setTimeout(start, childKeptDownLookMs);
      return;
    }
    child = launch(options);
    startedAtMs = performance.now();
    watch(child);
  }

  return {
    name: options.name,
    pid: () => child.pid,
    async restart() {
      replacing = true;
      clearTimeout(timer);
      await end(child, options.stopTimeoutMs);
      replacing = false;
      if (!stopping) start();
    },
    async stop() {
      stopping = true;
      clearTimeout(timer);
      await end(child, options.stopTimeoutMs);
    },
  };
}

/** The command line of a child of the mesh: `argv` are a script of ours and its arguments. */
export function leashedCommand(script: readonly string[]): readonly string[] {
  return ["--preload", join(import.meta.dir, "leash.ts"), ...script];
}

function launch({ name, script, env, write }: SupervisedOptions): ChildProcess {
  const child = spawn(process.execPath, [...leashedCommand(script)], { detached: true, stdio: ["pipe", "pipe", "pipe"], env });
  // Writing to a child that is gone is what the exit handler is for.
  child.stdin.on("error", () => {});
  prefixLines(child.stdout, name, write);
  prefixLines(child.stderr, name, write);
  return child;
}

/** A line that names its app already (`[gateway.ewr] …`, or JSON) goes through as it is. */
function prefixLines(stream: Readable, name: string, write: (line: string) => void): void {
  createInterface({ input: stream }).on("line", (line) => write(/^(\[[a-z]|\{)/.test(line) ? `${line}\n` : `[${name}] ${line}\n`));
}

/** SIGTERM, then time to finish, then SIGKILL. */
export async function end(child: ChildProcess, timeoutMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGTERM");
  const kill = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  await gone;
  clearTimeout(kill);
}
