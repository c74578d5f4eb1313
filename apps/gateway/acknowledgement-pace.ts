/**
 * When streams are acknowledged: at most once an interval each, for writing to a phone costs this process about as much as
 * reading from it, and wakes the phone. What is urgent, or comes when nothing was said for an interval, is said in the same
 * turn of the loop, once for all that is known by then.
 */
import { acknowledgeSweepMs } from "./limits.ts";

/** `saidAtMs` is the pace's own. */
export type Speaker = { readonly say: () => void; saidAtMs: number };

export interface AcknowledgementPace {
  add(speaker: Speaker, urgent: boolean): void;
}

/** One sweep looks for who is due, not a timer each. */
export function createAcknowledgementPace({ intervalMs }: { readonly intervalMs: number }): AcknowledgementPace {
  const later = new Set<Speaker>();
  let soon = new Set<Speaker>();
  let sweeper: ReturnType<typeof setTimeout> | undefined;

  function speak(speaker: Speaker, nowMs: number): void {
    later.delete(speaker);
    speaker.saidAtMs = nowMs;
    speaker.say();
  }

  function flush(): void {
    const nowMs = performance.now();
    const due = soon;
    soon = new Set();
    for (const speaker of due) speak(speaker, nowMs);
  }

  function sweep(): void {
    const nowMs = performance.now();
    for (const speaker of later) if (nowMs - speaker.saidAtMs >= intervalMs) speak(speaker, nowMs);
    sweeper = later.size === 0 ? undefined : setTimeout(sweep, acknowledgeSweepMs);
  }

  return {
    add(speaker, urgent) {
      if (urgent || performance.now() - speaker.saidAtMs >= intervalMs) {
        if (soon.size === 0) setImmediate(flush);
        soon.add(speaker);
      } else {
        later.add(speaker);
        sweeper ??= setTimeout(sweep, acknowledgeSweepMs);
      }
    },
  };
}
