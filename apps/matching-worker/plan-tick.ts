/**
 * One tick: which driver to ask for which ride, and which rides to take from silent drivers.
 *
 * A pure function of the state and the time: a recorded state replays to the same plan. Pair-greedy: of all pairs of
 * a waiting ride and a free, fresh driver the fastest is taken first. It knows no log, no lease and no clock.
 */
import type { Ride } from "@ridegrid/domain";
import { type Candidate, type CandidateSearch, createCandidateSearch, type SearchSpace } from "./candidate-search.ts";
import { availableFlag } from "./driver-book.ts";
import { candidatesShownMax, positionFreshMs, proposalsPerTickMax } from "./limits.ts";
import { createMinHeap } from "./min-heap.ts";
import type { MarketState } from "./market-state.ts";

/** The chosen driver's `reason` is empty. */
export type ShownCandidate = { readonly driverId: string; readonly pickupEtaSeconds: number; readonly reason: string };

export type PlannedOffer = {
  readonly kind: "offer";
  readonly rideId: string;
  readonly rideVersion: number;
  readonly driverId: string;
  readonly pickupEtaSeconds: number;
  readonly candidates: readonly ShownCandidate[];
};
export type PlannedRelease = {
  readonly kind: "release";
  readonly rideId: string;
  readonly rideVersion: number;
  readonly driverId: string;
  readonly silentSeconds: number;
};
export type PlannedProposal = PlannedOffer | PlannedRelease;

export type TickPlan = {
  readonly offers: readonly PlannedOffer[];
  readonly releases: readonly PlannedRelease[];
  /** Waiting rides for which nobody free was near enough. */
  readonly unmatched: number;
};

/** Rebuilds the state's grid over the drivers who may be asked now; nothing else of the state changes. */
export function planTick(state: MarketState, nowMs: number): TickPlan {
  rebuildGrid(state, nowMs);
  const waiting = [...state.rides.rides.values()].filter((ride) => isWaiting(ride, nowMs) && !state.proposals.has(ride.rideId)).sort(longestWaitingFirst);
  const matches = match(waiting, state, nowMs);
  return { offers: matches.offers, unmatched: waiting.length - matches.offers.length, releases: releases(state, nowMs) };
}

/** From its search's deadline on a ride waits for its end only. */
function isWaiting(ride: Ride, nowMs: number): boolean {
  return ride.status === "requested" && nowMs < ride.searchDeadlineMs;
}

/** Free: available on a shift here, holding no offer that a ride's events tell of, asked for nothing else just now. */
function rebuildGrid({ grid, drivers: { points }, rides, proposals }: MarketState, nowMs: number): void {
  const busy = new Set<string>(proposals.driverIds());
  for (const ride of rides.rides.values()) if (ride.offer !== null) busy.add(ride.offer.driverId);
  const { flags, observedAtMs } = points.columns;
  const freshAfterMs = nowMs - positionFreshMs;
  grid.rebuild(
    points.columns,
    points.slotEnd,
    (slot) => flags[slot] === availableFlag && (observedAtMs[slot] ?? 0) > freshAfterMs && !busy.has(points.idAt(slot) ?? ""),
  );
}

type Entry = { readonly ride: Ride; readonly search: CandidateSearch; readonly candidate: Candidate; readonly order: number };

function match(waiting: readonly Ride[], state: MarketState, nowMs: number): { readonly offers: readonly PlannedOffer[] } {
  const heap = createMinHeap<Entry>((a, b) => a.candidate.etaSeconds - b.candidate.etaSeconds || a.order - b.order);
  const push = (entry: Omit<Entry, "candidate">): void => {
    const candidate = entry.search.next();
    if (candidate !== null) heap.push({ ...entry, candidate });
  };
  waiting.forEach((ride, order) => push({ ride, search: createCandidateSearch(ride.pickup, searchSpace(state, ride, nowMs)), order }));
  const takenBy = new Map<string, string>();
  const matched: Entry[] = [];
  for (let entry = heap.pop(); entry !== undefined && matched.length < proposalsPerTickMax; entry = heap.pop()) {
    if (takenBy.has(entry.candidate.driverId)) {
      push(entry);
      continue;
    }
    takenBy.set(entry.candidate.driverId, entry.ride.rideId);
    matched.push(entry);
  }
  return { offers: matched.map((entry) => plannedOffer(entry, takenBy)) };
}

function searchSpace({ grid, drivers: { points, projection }, travelTime, market, proposals }: MarketState, ride: Ride, nowMs: number): SearchSpace {
  return {
    grid,
    points,
    projection,
    travelTime,
    etaMaxSeconds: market.policy.pickupEtaMaxSeconds,
    obstacle(driverId, slot) {
      if (ride.blockedDrivers.some((blocked) => blocked === driverId)) return "declined, let expire or lost this ride before";
      const seats = points.columns.seats[slot] ?? 0;
      if (seats < ride.seats) return `the car has ${seats} seats, ${ride.seats} are asked`;
      if (proposals.rests(ride.rideId, driverId, nowMs)) return "was proposed for this ride a moment ago, without effect";
      return null;
    },
  };
}

function plannedOffer({ ride, search, candidate: chosen }: Entry, takenBy: ReadonlyMap<string, string>): PlannedOffer {
  const others = search.seen().filter((one) => one.driverId !== chosen.driverId);
  const shown = [chosen, ...others.slice(0, candidatesShownMax - 1)].sort((a, b) => a.etaSeconds - b.etaSeconds);
  return {
    kind: "offer",
    rideId: ride.rideId,
    rideVersion: ride.version,
    driverId: chosen.driverId,
    pickupEtaSeconds: wholeSeconds(chosen),
    candidates: shown.map((one) => ({
      driverId: one.driverId,
      pickupEtaSeconds: wholeSeconds(one),
      reason: one === chosen ? "" : whyNot(one, chosen, takenBy.get(one.driverId)),
    })),
  };
}

function whyNot(one: Candidate, chosen: Candidate, takenByRide: string | undefined): string {
  if (one.obstacle !== null) return one.obstacle;
  if (one.etaSeconds >= chosen.etaSeconds) return `${wholeSeconds(one) - wholeSeconds(chosen)} s slower than the chosen driver`;
  return `proposed for ride "${takenByRide ?? ""}", which the driver reaches sooner`;
}

function wholeSeconds({ etaSeconds }: Candidate): number {
  return Math.ceil(etaSeconds);
}

/** A driver is silent since the last position known, or since this worker began to hear them all. */
function releases({ rides, drivers, proposals, market, hearingSinceMs }: MarketState, nowMs: number): readonly PlannedRelease[] {
  if (hearingSinceMs === null) return [];
  const planned: PlannedRelease[] = [];
  for (const ride of rides.rides.values()) {
    if ((ride.status !== "assigned" && ride.status !== "arrived") || ride.offer === null || proposals.has(ride.rideId)) continue;
    const silentMs = nowMs - Math.max(drivers.heardAtMs(ride.offer.driverId), ride.assignedAtMs ?? 0, hearingSinceMs);
    if (silentMs < market.policy.driverSilentMs) continue;
    const { rideId, version: rideVersion } = ride;
    planned.push({ kind: "release", rideId, rideVersion, driverId: ride.offer.driverId, silentSeconds: Math.floor(silentMs / 1_000) });
  }
  return planned.slice(0, proposalsPerTickMax);
}

function longestWaitingFirst(a: Ride, b: Ride): number {
  return a.createTimeMs - b.createTimeMs || (a.rideId < b.rideId ? -1 : 1);
}
