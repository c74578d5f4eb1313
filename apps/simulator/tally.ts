/** What the city counts about itself. Only counts and the newest waits are kept, so an endless city stays small. */
import { waitsKeptMax } from "./limits.ts";

export type CancelCounts = { rider: number; driver: number; operator: number; system: number };

export type Tally = {
  /** Riders sent out; each asks for one ride. */
  riders: number;
  requested: number;
  /** Riders who never got a ride acknowledged. */
  turnedAway: number;
  completed: number;
  noDrivers: number;
  readonly canceled: CancelCounts;
  driversOnline: number;
  offers: number;
  accepted: number;
  declined: number;
  ignored: number;
  positionsReported: number;
  positionsAcked: number;
  readonly positionsRejected: Map<string, number>;
  /** Attempts and connections that failed in passing, by reason. */
  readonly failures: Map<string, number>;
  /** City seconds from request to the first assignment. */
  readonly waits: number[];
};

export function createTally(): Tally {
  return {
    riders: 0,
    requested: 0,
    turnedAway: 0,
    completed: 0,
    noDrivers: 0,
    canceled: { rider: 0, driver: 0, operator: 0, system: 0 },
    driversOnline: 0,
    offers: 0,
    accepted: 0,
    declined: 0,
    ignored: 0,
    positionsReported: 0,
    positionsAcked: 0,
    positionsRejected: new Map(),
    failures: new Map(),
    waits: [],
  };
}

export function count(counts: Map<string, number>, key: string, by = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}

export function keepWait(tally: Tally, seconds: number): void {
  tally.waits.push(seconds);
  if (tally.waits.length > 2 * waitsKeptMax) tally.waits.splice(0, waitsKeptMax);
}

export function canceledTotal({ canceled }: Tally): number {
  return canceled.rider + canceled.driver + canceled.operator + canceled.system;
}

export function endedTotal(tally: Tally): number {
  return tally.completed + tally.noDrivers + canceledTotal(tally);
}
