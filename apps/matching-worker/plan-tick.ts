/**
 * One tick: which driver to ask for which ride, and which rides to take from silent drivers.
 *
 * A pure function of the state and the time: a recorded state replays to the same plan. Pair-greedy: of all pairs of
 * a waiting ride and a free, fresh driver the fastest is taken first. It knows no log, no lease and no clock.
 */
import type { Ride } from "@ridegrid/domain";
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
  grid.rebuild(drivers.points.columns, drivers.freeSince(nowMs - positionFreshMs, proposals.driverIds()));
}

function match(waiting: readonly Ride[], state: MarketState, nowMs: number): readonly PlannedOffer[] {
  const { grid, searches, heap } = state;
  const obstacle = obstaclesOf(waiting, state, nowMs);
  searches.begin(waiting, (row, place) => obstacle(row, place) === null);
  heap.clear();
  for (let row = 0; row < waiting.length; row++) if (searches.next(row)) heap.push(row, searches.etaSeconds(row));
  const takenBy = new Map<number, number>();
  for (let row = heap.pop(); row >= 0 && takenBy.size < proposalsPerTickMax; row = heap.pop()) {
    const place = searches.place(row);
    if (grid.has(place)) {
      grid.take(place);
      takenBy.set(place, row);
    } else if (searches.next(row)) {
      heap.push(row, searches.etaSeconds(row));
    }
  }
  const explaining = { grid, drivers: state.drivers, searches, waiting, obstacle, takenBy };
  return Array.from(takenBy.values(), (row) => plannedOffer(row, explaining));
}

/** Why a driver must not be asked for a ride although free and near; null when nothing is in the way. */
type Obstacle = (row: number, place: number) => string | null;

function obstaclesOf(waiting: readonly Ride[], { grid, drivers: { points }, proposals }: MarketState, nowMs: number): Obstacle {
  const { seats } = points.columns;
  return (row, place) => {
    const ride = waiting[row]!;
    const slot = grid.slotAt(place);
    if (ride.blockedDrivers.length > 0 && ride.blockedDrivers.some((blocked) => blocked === points.idAt(slot)))
      return "declined, let expire or lost this ride before";
    if (seats[slot]! < ride.seats) return `the car has ${seats[slot]} seats, ${ride.seats} are asked`;
    if (proposals.anyRests && proposals.rests(ride.rideId, points.idAt(slot) ?? "", nowMs)) return "was proposed for this ride a moment ago, without effect";
    return null;
  };
}

type Explaining = Pick<MarketState, "grid" | "drivers" | "searches"> & {
  readonly waiting: readonly Ride[];
  readonly obstacle: Obstacle;
  /** By place: the row that won the driver. */
  readonly takenBy: ReadonlyMap<number, number>;
};

/** The row's search stands at the driver that it has won. */
function plannedOffer(row: number, explaining: Explaining): PlannedOffer {
  const { waiting, searches } = explaining;
  const place = searches.place(row);
  const chosen = { driverId: idAt(place, explaining), pickupEtaSeconds: Math.ceil(searches.etaSeconds(row)), reason: "" };
  const candidates: ShownCandidate[] = [];
  let isShown = false;
  for (let rank = 0; rank < candidatesShownMax; rank++) {
    const other = searches.nearestPlace(row, rank);
    if (other < 0) break;
    if (other === place) isShown = true;
    candidates.push(other === place ? chosen : passedOver(row, rank, explaining));
  }
  // Farther than all the others then.
  if (!isShown) candidates[Math.min(candidates.length, candidatesShownMax - 1)] = chosen;
  const { rideId, version } = waiting[row]!;
  return { kind: "offer", rideId, rideVersion: version, driverId: chosen.driverId, pickupEtaSeconds: chosen.pickupEtaSeconds, candidates };
}

function passedOver(row: number, rank: number, explaining: Explaining): ShownCandidate {
  const { waiting, searches, obstacle, takenBy } = explaining;
  const place = searches.nearestPlace(row, rank);
  const seconds = searches.nearestSeconds(row, rank);
  const chosenSeconds = searches.etaSeconds(row);
  const pickupEtaSeconds = Math.ceil(seconds);
  let reason = obstacle(row, place);
  if (reason === null && seconds >= chosenSeconds) reason = `${pickupEtaSeconds - Math.ceil(chosenSeconds)} s slower than the chosen driver`;
  reason ??= `proposed for ride "${waiting[takenBy.get(place) ?? -1]?.rideId ?? ""}", which the driver reaches sooner`;
  return { driverId: idAt(place, explaining), pickupEtaSeconds, reason };
}

function idAt(place: number, { grid, drivers }: Pick<MarketState, "grid" | "drivers">): string {
  return drivers.points.idAt(grid.slotAt(place)) ?? "";
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
