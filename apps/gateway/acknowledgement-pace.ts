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

/** One sweep looks for who is due, not a timer each; and the time is read once for all who come in one turn. */
export function createAcknowledgementPace({ intervalMs }: { readonly intervalMs: number }): AcknowledgementPace {
  const later = new Set<Speaker>();
  let urgentNow = new Set<Speaker>();
  let othersNow: Speaker[] = [];
  let sweeper: ReturnType<typeof setTimeout> | undefined;
  let flushing = false;

  function speak(speaker: Speaker, nowMs: number): void {
    later.delete(speaker);
    speaker.saidAtMs = nowMs;
    speaker.say();
  }

  function flush(): void {
    flushing = false;
    const nowMs = performance.now();
    const [urgent, others] = [urgentNow, othersNow];
    urgentNow = new Set();
    othersNow = [];
    for (const speaker of urgent) speak(speaker, nowMs);
    for (const speaker of others) {
      if (urgent.has(speaker)) continue;
      if (nowMs - speaker.saidAtMs >= intervalMs) speak(speaker, nowMs);
      else later.add(speaker);
    }
    if (later.size > 0) sweeper ??= setTimeout(sweep, acknowledgeSweepMs);
  }

  function sweep(): void {
    const nowMs = performance.now();
    for (const speaker of later) if (nowMs - speaker.saidAtMs >= intervalMs) speak(speaker, nowMs);
    sweeper = later.size === 0 ? undefined : setTimeout(sweep, acknowledgeSweepMs);
  }

  return {
    add(speaker, urgent) {
      if (urgent) urgentNow.add(speaker);
      else othersNow.push(speaker);
      if (flushing) return;
      flushing = true;
      setImmediate(flush);
    },
  };
}
