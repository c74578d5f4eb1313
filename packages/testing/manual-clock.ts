/** A clock that moves only when a test says so. */
import type { Clock } from "@ridegrid/domain";

export interface ManualClock extends Clock {
  advance(ms: number): void;
  set(nowMs: number): void;
}

export function createManualClock(startMs: number): ManualClock {
  let nowMs = startMs;
  return {
    nowMs: () => nowMs,
    advance(ms) {
      nowMs += ms;
    },
    set(value) {
      nowMs = value;
    },
  };
}
