/**
 * What was proposed and has shown no effect yet. Such a ride and driver are left alone; after a few seconds the
 * proposal is forgotten, for the coordinator says nothing when it refuses one.
 */
import { type Ride, putBounded } from "@ridegrid/domain";
import { pairRestMs, proposalForgetMs, restingPairsMax } from "./limits.ts";

export type Proposed = { readonly rideId: string; readonly rideVersion: number; readonly driverId: string };

export interface ProposalBook {
  readonly size: number;
  has(rideId: string): boolean;
  driverIds(): Iterable<string>;
  readonly anyRests: boolean;
  /** Whether this pair's last proposal had no effect, a moment ago. */
  rests(rideId: string, driverId: string, nowMs: number): boolean;
  sent(proposals: readonly Proposed[], nowMs: number): void;
  /** They were not sent after all. */
  takeBack(proposals: readonly Proposed[]): void;
  /** A ride that moved on has answered. */
  settle(ride: Ride): void;
  /** Answers how many were forgotten. */
  forget(nowMs: number): number;
}

export function createProposalBook(): ProposalBook {
  const inFlight = new Map<string, Proposed & { readonly sentAtMs: number }>();
  const restingUntilMs = new Map<string, number>();

  return {
    get size() {
      return inFlight.size;
    },
    has: (rideId) => inFlight.has(rideId),
    driverIds: () => [...inFlight.values()].map((one) => one.driverId),
    get anyRests() {
      return restingUntilMs.size > 0;
    },
    rests: (rideId, driverId, nowMs) => (restingUntilMs.get(pairKey(rideId, driverId)) ?? 0) > nowMs,
    sent(proposals, nowMs) {
      for (const { rideId, rideVersion, driverId } of proposals) inFlight.set(rideId, { rideId, rideVersion, driverId, sentAtMs: nowMs });
    },
    takeBack(proposals) {
      for (const { rideId } of proposals) inFlight.delete(rideId);
    },
    settle(ride) {
      const asked = inFlight.get(ride.rideId);
      if (asked !== undefined && ride.version > asked.rideVersion) inFlight.delete(ride.rideId);
    },
    forget(nowMs) {
      let forgotten = 0;
      for (const { rideId, driverId, sentAtMs } of inFlight.values()) {
        if (nowMs - sentAtMs < proposalForgetMs) continue;
        inFlight.delete(rideId);
        putBounded(restingUntilMs, [pairKey(rideId, driverId), nowMs + pairRestMs], restingPairsMax);
        forgotten++;
      }
      for (const [pair, untilMs] of restingUntilMs) {
        if (untilMs > nowMs) break;
        restingUntilMs.delete(pair);
      }
      return forgotten;
    },
  };
}

function pairKey(rideId: string, driverId: string): string {
  return `${rideId} ${driverId}`;
}
