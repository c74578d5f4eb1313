/**
 * Admission control: a bounded number of requests a second, and of those being worked on. What is over either is
 * refused at once with OVERLOADED and a delay, so that what was taken is answered as quickly as ever.
 *
 * The rate is smooth: a burst of a fifth of a second's requests at most, or the burst itself would be the overload.
 */
import type { Clock, Random } from "@ridegrid/domain";
import { overloadDelayMinMs, overloadDelaySpreadMs } from "./limits.ts";
import { apiError } from "./refusal-error.ts";

export type CapacityOptions = {
  readonly clock: Clock;
  readonly random: Random;
  /** No bound when undefined. */
  readonly requestsPerSecond: number | undefined;
  readonly inFlightMax: number;
};

export interface Capacity {
  /** Takes one request of the rate. @throws OVERLOADED when there is none left. */
  admit(): void;
  /** Counts one until what is returned is called. @throws OVERLOADED when too many are counted. */
  enter(): () => void;
}

export function createCapacity({ clock, random, requestsPerSecond, inFlightMax }: CapacityOptions): Capacity {
  const burst = requestsPerSecond === undefined ? Number.POSITIVE_INFINITY : Math.max(1, requestsPerSecond / 5);
  let tokens = burst;
  let atMs = clock.nowMs();
  let inFlight = 0;
  // Spread, so that those refused together do not come back together.
  const overloaded = (why: string): Error =>
    apiError("OVERLOADED", `Cannot take the call: ${why}`, {}, Math.round(overloadDelayMinMs + random.next() * overloadDelaySpreadMs));

  const leave = (): void => void inFlight--;
  return {
    admit() {
      if (requestsPerSecond === undefined) return;
      const nowMs = clock.nowMs();
      tokens = Math.min(burst, tokens + (Math.max(0, nowMs - atMs) / 1_000) * requestsPerSecond);
      atMs = nowMs;
      if (tokens < 1) throw overloaded(`more than ${requestsPerSecond} a second come in`);
      tokens--;
    },
    enter() {
      if (inFlight >= inFlightMax) throw overloaded(`${inFlight} are being worked on`);
      inFlight++;
      return leave;
    },
  };
}
