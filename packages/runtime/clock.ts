/**
 * The clocks of a running system: the machine's own, and one corrected to the database's.
 *
 * Only the database's clock decides deadlines; a process that compares times with it works with the corrected clock,
 * so that a machine five minutes off neither expires an offer early nor keeps it late.
 */
import type { Clock } from "@ridegrid/domain";
import { clockMeasureIntervalMs, clockSamplesPerMeasure, clockSkewAlarmMs } from "./limits.ts";
import type { Logger } from "./logger.ts";

export interface CorrectedClock extends Clock {
  /** What is added to the machine's time; 0 until the first measurement. */
  offsetMs(): number;
  /** Measures now. A failure to reach the primary leaves the last offset in force and is thrown. */
  measure(): Promise<void>;
  /** Measures once, then again every half minute until `stop()`. */
  start(): Promise<void>;
  stop(): void;
}

export type CorrectedClockOptions = {
  readonly logger?: Logger;
  /** The clock to correct; the machine's when left out. */
  readonly local?: Clock;
  readonly intervalMs?: number;
};

export function createSystemClock(): Clock {
  return { nowMs: () => Date.now() };
}

/** `readDbNow` answers the primary's time in milliseconds since the epoch. */
export function createCorrectedClock(readDbNow: () => Promise<number>, options: CorrectedClockOptions = {}): CorrectedClock {
  const local = options.local ?? createSystemClock();
  let offsetMs = 0;
  let timer: ReturnType<typeof setInterval> | undefined;

  async function measure(): Promise<void> {
    offsetMs = (await bestSample(readDbNow, local)).offsetMs;
    if (Math.abs(offsetMs) > clockSkewAlarmMs) {
      options.logger?.warn({ offsetMs: Math.round(offsetMs) }, "this machine's clock is off the database's; working with the corrected time");
    }
  }

  return {
    nowMs: () => local.nowMs() + offsetMs,
    offsetMs: () => offsetMs,
    measure,
    async start() {
      await measure();
      timer ??= setInterval(() => {
        measure().catch((error: unknown) => options.logger?.debug({ error }, "cannot measure the clock's offset; the last one stays in force"));
      }, options.intervalMs ?? clockMeasureIntervalMs);
      timer.unref();
    },
    stop() {
      clearInterval(timer);
      timer = undefined;
    },
  };
}

type Sample = { readonly offsetMs: number; readonly roundTripMs: number };

async function bestSample(readDbNow: () => Promise<number>, local: Clock): Promise<Sample> {
  let best: Sample | undefined;
  for (let taken = 0; taken < clockSamplesPerMeasure; taken++) {
    const sentMs = local.nowMs();
    const remoteMs = await readDbNow();
    const receivedMs = local.nowMs();
    // The answer was made somewhere within the round trip; its middle is wrong by half of it at most.
    const sample = { offsetMs: remoteMs - (sentMs + receivedMs) / 2, roundTripMs: receivedMs - sentMs };
    if (best === undefined || sample.roundTripMs < best.roundTripMs) best = sample;
  }
  if (best === undefined) throw new Error("Cannot measure the clock: no sample was taken");
  return best;
}
