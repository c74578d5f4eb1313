/** The report of a run: the object that `--json` prints, built from the tally. */
import type { PlatformTally } from "./settlement.ts";
import { canceledTotal, type Tally } from "./tally.ts";
import type { Violation } from "./witness.ts";

/** The fields up to `wallSeconds` are the contract of `sim --json`; the others may grow. */
export type SimulationReport = {
  readonly seed: number;
  readonly rides: {
    readonly requested: number;
    readonly completed: number;
    readonly canceled: { readonly rider: number; readonly driver: number; readonly operator: number; readonly system: number };
    readonly noDrivers: number;
  };
  /** City seconds from request to the first assignment, of the rides that were assigned. */
  readonly waitSeconds: { readonly mean: number; readonly p50: number; readonly p95: number; readonly p99: number };
  readonly offersPerRide: number;
  /** The share of offers that were accepted. */
  readonly acceptance: number;
  readonly violations: number;
  readonly wallSeconds: number;
  /** The first of them, in words. */
  readonly violationDetails: readonly Violation[];
  /** Rides that had not ended when the run did. */
  readonly open: number;
  /** Riders who got no ride acknowledged. */
  readonly turnedAway: number;
  readonly drivers: number;
  readonly speedup: number;
  readonly market: string;
  /** What the platform counts for the same riders; null when the run was stopped before they were compared. */
  readonly platform: PlatformTally | null;
  readonly positions: { readonly reported: number; readonly acknowledged: number; readonly rejected: Readonly<Record<string, number>> };
  /** Attempts that failed in passing and were repeated, riders' refusals and what was given up, by reason. */
  readonly failures: Readonly<Record<string, number>>;
  /** Records that each topic gained during the run. */
  readonly records: Readonly<Record<string, number>>;
};

export type ReportInput = {
  readonly seed: number;
  readonly drivers: number;
  readonly speedup: number;
  readonly market: string;
  readonly tally: Tally;
  readonly violations: number;
  readonly violationDetails: readonly Violation[];
  readonly wallSeconds: number;
  readonly platform: PlatformTally | null;
  readonly records: Readonly<Record<string, number>>;
};

export function buildReport({ tally, ...input }: ReportInput): SimulationReport {
  const { requested, completed, noDrivers, canceled } = tally;
  return {
    seed: input.seed,
    rides: { requested, completed, canceled: { ...canceled }, noDrivers },
    waitSeconds: waitSummary(tally.waits),
    offersPerRide: ratio(tally.offers, requested),
    acceptance: ratio(tally.accepted, tally.offers),
    violations: input.violations,
    wallSeconds: round(input.wallSeconds, 1),
    violationDetails: input.violationDetails,
    open: requested - completed - noDrivers - canceledTotal(tally),
    turnedAway: tally.turnedAway,
    drivers: input.drivers,
    speedup: input.speedup,
    market: input.market,
    platform: input.platform,
    positions: { reported: tally.positionsReported, acknowledged: tally.positionsAcked, rejected: Object.fromEntries(tally.positionsRejected) },
    failures: Object.fromEntries(tally.failures),
    records: input.records,
  };
}

function waitSummary(waits: readonly number[]): SimulationReport["waitSeconds"] {
  const sorted = Float64Array.from(waits).sort();
  const mean = sorted.length === 0 ? 0 : sorted.reduce((sum, wait) => sum + wait, 0) / sorted.length;
  return { mean: round(mean, 1), p50: percentile(sorted, 0.5), p95: percentile(sorted, 0.95), p99: percentile(sorted, 0.99) };
}

/** Nearest rank; 0 without a value. */
function percentile(sorted: Float64Array, share: number): number {
  return round(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0, 1);
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : round(part / whole, 3);
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
