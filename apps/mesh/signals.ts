/**
 * When a program is asked to stop: SIGINT, SIGTERM, a closed terminal, or the end of whoever started it.
 *
 * The first asks for an orderly stop; one that comes at least a second later exits at once. Anything sooner is the
 * same Ctrl-C, which `bun run` and `npx` deliver twice.
 */
import { readFileSync } from "node:fs";
import { isChainWhole, launcherChain } from "./launchers.ts";
import { meshStopTimeoutMs, secondSignalAfterMs, watchIntervalMs } from "./limits.ts";

/** Exit codes of a shell: 128 + the signal's number. */
const exitCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

export type StopReason = keyof typeof exitCodes | "the process that started it is gone";

/** Resolves at the first reason to stop. Afterwards it only watches for the impatient second signal. */
export function untilAskedToStop(): Promise<StopReason> {
  return new Promise((resolve) => {
    let firstAtMs: number | undefined;
    const ask = (reason: StopReason): void => {
      clearInterval(timer);
      if (firstAtMs === undefined) setTimeout(giveUp, meshStopTimeoutMs).unref();
      firstAtMs ??= performance.now();
      resolve(reason);
    };
    const onSignal = (signal: keyof typeof exitCodes): void => {
      if (firstAtMs !== undefined && performance.now() - firstAtMs >= secondSignalAfterMs) process.exit(exitCodes[signal]);
      ask(signal);
    };
    const chain = launcherChain(process.pid);
    const timer = setInterval(() => {
      if (!isChainWhole(chain)) ask("the process that started it is gone");
    }, watchIntervalMs);
    process.on("SIGINT", onSignal);
    process.on("SIGTERM", onSignal);
    if (!isHangupIgnored()) process.on("SIGHUP", onSignal);
  });
}

/** Whatever hangs while stopping: what was committed is safe, and leases lapse by themselves. */
function giveUp(): void {
  process.stderr.write(`Cannot stop in order: not done after ${meshStopTimeoutMs / 1000} s; exiting\n`);
  process.exit(1);
}

/** Under `nohup` a closed terminal must not end us. */
function isHangupIgnored(): boolean {
  try {
    const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    return mask !== undefined && (BigInt(`0x${mask}`) & 1n) === 1n;
  } catch {
    return false;
  }
}
