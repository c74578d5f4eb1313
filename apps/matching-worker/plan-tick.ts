/**
 * One tick: which driver to ask for which ride, and which rides to take from silent drivers.
 *
 * A pure function of the state and the time: a recorded state replays to the same plan. Pair-greedy: of all pairs of
 * a waiting ride and a free, fresh driver the fastest is taken first. It knows no log, no lease and no clock.
 */
import type { Ride } from "@ridegrid/domain";
import type { MovingPoints } from "@ridegrid/spatial";
import type { CandidateSearch } from "./candidate-search.ts";
import { heldFlag } from "./driver-book.ts";
import { candidatesShownMax, positionFreshMs, proposalsPerTickMax } from "./limits.ts";
import type { MarketState } from "./market-state.ts";

/** The chosen driver's `reason` is empty. */
export type ShownCandidate = { readonly driverId: string; readonly pickupEtaSeconds: number; readonly reason: string };

export type PlannedOffer = {
  readonly kind: "offer";
  readonly rideId: string;
  readonly rideVersion: number;
  readonly driverId: string;
  readonly pickupEtaSeconds: number;
  /** The nearest first, the chosen driver among them. */
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

/** Rebuilds the state's grid over the drivers who may be asked now, and takes those out whom it asks; nothing else of the state changes. */
export function planTick(state: MarketState, nowMs: number): TickPlan {
  rebuildGrid(state, nowMs);
  const waiting = [...state.rides.inStatus("requested").values()].filter((ride) => isWaiting(ride, nowMs) && !state.proposals.has(ride.rideId));
  const offers = match(waiting.sort(longestWaitingFirst), state, nowMs);
  return { offers, unmatched: waiting.length - offers.length, releases: releases(state, nowMs) };
}

/** From its search's deadline on a ride waits for its end only. */
function isWaiting(ride: Ride, nowMs: number): boolean {
  return nowMs < ride.searchDeadlineMs;
}

/** Free: available on a shift here, held by no ride's offer, asked for nothing else just now. */
function rebuildGrid({ grid, drivers, proposals }: MarketState, nowMs: number): void {
  grid.rebuild(drivers.points.columns, drivers.freeSince(nowMs - positionFreshMs));
  for (const driverId of proposals.driverIds()) grid.take(drivers.points.slotOf(driverId) ?? -1);
}

function match(waiting: readonly Ride[], state: MarketState, nowMs: number): readonly PlannedOffer[] {
  const { grid, searches, heap } = state;
  const obstacle = obstaclesOf(state, nowMs);
  heap.clear();
  waiting.forEach((ride, row) => {
    const search = searches.at(row);
    search.begin(ride.pickup, (slot) => obstacle(ride, slot) === null);
    if (search.next()) heap.push(row, search.etaSeconds);
  });
  const takenBy = new Map<number, string>();
  const matched: Match[] = [];
  for (let row = heap.pop(); row >= 0 && matched.length < proposalsPerTickMax; row = heap.pop()) {
    const ride = waiting[row];
    const search = searches.at(row);
    if (ride !== undefined && grid.has(search.slot)) {
      grid.take(search.slot);
      takenBy.set(search.slot, ride.rideId);
      matched.push({ ride, search });
    } else if (search.next()) {
      heap.push(row, search.etaSeconds);
    }
  }
  const offers = matched.map((one) => plannedOffer(one, { points: state.drivers.points, obstacle, takenBy }));
  searches.trim();
  return offers;
}

/** Why a driver must not be asked for a ride although free and near; null when nothing is in the way. */
type Obstacle = (ride: Ride, slot: number) => string | null;

function obstaclesOf({ drivers: { points }, proposals }: MarketState, nowMs: number): Obstacle {
  return (ride, slot) => {
    if (ride.blockedDrivers.length > 0 && ride.blockedDrivers.some((blocked) => blocked === points.idAt(slot)))
      return "declined, let expire or lost this ride before";
    const seats = points.columns.seats[slot] ?? 0;
    if (seats < ride.seats) return `the car has ${seats} seats, ${ride.seats} are asked`;
    if (proposals.rests(ride.rideId, points.idAt(slot) ?? "", nowMs)) return "was proposed for this ride a moment ago, without effect";
    return null;
  };
}

/** The search stands at the driver that the ride has won. */
type Match = { readonly ride: Ride; readonly search: CandidateSearch };
type Explaining = { readonly points: MovingPoints; readonly obstacle: Obstacle; readonly takenBy: ReadonlyMap<number, string> };

function plannedOffer({ ride, search }: Match, explaining: Explaining): PlannedOffer {
  const { slot, etaSeconds } = search;
  const chosen = { driverId: explaining.points.idAt(slot) ?? "", pickupEtaSeconds: Math.ceil(etaSeconds), reason: "" };
  const candidates: ShownCandidate[] = [];
  let isShown = false;
  for (let rank = 0; rank < candidatesShownMax; rank++) {
    const other = search.nearestSlot(rank);
    if (other < 0) break;
    if (other === slot) isShown = true;
    candidates.push(other === slot ? chosen : passedOver(other, { ride, search }, explaining));
  }
  // Farther than all the others then.
  if (!isShown) candidates[Math.min(candidates.length, candidatesShownMax - 1)] = chosen;
  const { driverId, pickupEtaSeconds } = chosen;
  return { kind: "offer", rideId: ride.rideId, rideVersion: ride.version, driverId, pickupEtaSeconds, candidates };
}

function passedOver(slot: number, { ride, search }: Match, { points, obstacle, takenBy }: Explaining): ShownCandidate {
  const etaSeconds = search.secondsFrom(slot);
  const pickupEtaSeconds = Math.ceil(etaSeconds);
  let reason = obstacle(ride, slot);
  if (reason === null && etaSeconds >= search.etaSeconds) reason = `${pickupEtaSeconds - Math.ceil(search.etaSeconds)} s slower than the chosen driver`;
  reason ??= `proposed for ride "${takenBy.get(slot) ?? ""}", which the driver reaches sooner`;
  return { driverId: points.idAt(slot) ?? "", pickupEtaSeconds, reason };
}

/**
 * A driver is silent since the last position known, or since this worker began to hear them all. Found by a look along
 * the columns: most drivers of a busy city are on a trip and heard a moment ago.
 */
function releases({ rides, drivers, proposals, market, hearingSinceMs }: MarketState, nowMs: number): readonly PlannedRelease[] {
  const planned: PlannedRelease[] = [];
  const { points } = drivers;
  const { flags, observedAtMs } = points.columns;
  const silentBeforeMs = nowMs - market.policy.driverSilentMs;
  if (hearingSinceMs === null || hearingSinceMs > silentBeforeMs) return planned;
  for (let slot = 0; slot < points.slotEnd && planned.length < proposalsPerTickMax; slot++) {
    // Few are silent and many held: asked in this order the processor guesses right.
    const heardAtMs = observedAtMs[slot]!;
    if (heardAtMs > silentBeforeMs || (flags[slot]! & heldFlag) === 0) continue;
    const driverId = points.idAt(slot) ?? "";
    const ride = rides.rides.get(drivers.rideOf(driverId) ?? "");
    if (ride === undefined || (ride.status !== "assigned" && ride.status !== "arrived") || proposals.has(ride.rideId)) continue;
    const silentMs = nowMs - Math.max(heardAtMs, ride.assignedAtMs ?? 0, hearingSinceMs);
    if (silentMs < market.policy.driverSilentMs) continue;
    planned.push({ kind: "release", rideId: ride.rideId, rideVersion: ride.version, driverId, silentSeconds: Math.floor(silentMs / 1_000) });
  }
  return planned;
}

function longestWaitingFirst(a: Ride, b: Ride): number {
  return a.createTimeMs - b.createTimeMs || (a.rideId < b.rideId ? -1 : 1);
}
