/**
 * Whether the event log answers, for readiness: asked at the start, and again each second while it is away. Silent
 * while all is well; appends say themselves when that changes.
 */
import type { EventLog } from "@ridegrid/eventlog";
import { logProbeIntervalMs } from "./limits.ts";

export interface LogReachability {
  readonly detail: string;
  readonly reachable: boolean;
  start(): void;
  stop(): void;
  lost(cause: unknown): void;
}

export function createLogReachability(deps: {
  readonly eventLog: EventLog;
  readonly topic: string;
  readonly partition: number;
  readonly onChange: (detail: string) => void;
}): LogReachability {
  let detail = "not asked yet";
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopped = true;

  function become(next: string): void {
    if (next === detail) return;
    detail = next;
    deps.onChange(next);
  }

  async function probe(): Promise<void> {
    timer = undefined;
    try {
      await deps.eventLog.bounds(deps.topic, deps.partition);
      become("");
    } catch (cause) {
      lost(cause);
    }
  }

  function lost(cause: unknown): void {
    if (stopped) return;
    become(`the event log does not answer: ${cause instanceof Error ? cause.message : String(cause)}`);
    timer ??= setTimeout(() => void probe(), logProbeIntervalMs);
  }

  return {
    get detail() {
      return detail;
    },
    get reachable() {
      return detail === "";
    },
    start() {
      stopped = false;
      void probe();
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
      timer = undefined;
    },
    lost,
  };
}
