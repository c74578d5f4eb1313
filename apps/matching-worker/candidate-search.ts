/**
 * The drivers for one pickup, fastest first, found as far as they are asked for.
 *
 * Exact: a driver is handed out only when nobody farther away than those looked at could be faster. Travel times are
 * worked out only as far as that needs. One object serves pickup after pickup, so that thousands of rides a tick leave
 * no garbage behind.
 */
import type { LatLng } from "@ridegrid/domain";
import { type CsrGrid, createNeighbors, type MovingPoints, type Neighbors, type Projection } from "@ridegrid/spatial";
import { neighborsFirst, neighborsMax, projectionSlack } from "./limits.ts";
import type { TravelTime } from "./travel-time.ts";

export interface CandidateSearch {
  /** `mayAsk` says whether a driver who is free and near may be asked for this ride. */
  begin(pickup: LatLng, mayAsk: (slot: number) => boolean): void;
  /** Moves on to the next driver who may be asked; false when there is none within the market's bound. */
  next(): boolean;
  /** The driver that `next` moved to. */
  readonly slot: number;
  readonly etaSeconds: number;
  /** Whoever was nearest when the search began, by rank from 0, may be asked or not, taken since or not; -1 beyond those looked at. */
  nearestSlot(rank: number): number;
  secondsFrom(slot: number): number;
}

export type SearchSpace = {
  readonly grid: CsrGrid;
  readonly points: MovingPoints;
  readonly projection: Projection;
  readonly travelTime: TravelTime;
  readonly etaMaxSeconds: number;
};

export function createCandidateSearch(space: SearchSpace): CandidateSearch {
  const { grid, travelTime, etaMaxSeconds } = space;
  const radiusMeters = travelTime.reachMeters(etaMaxSeconds) * projectionSlack;
  const first = createNeighbors(neighborsFirst);
  const ranking = createRanking(space.points);
  let pickup: LatLng = { latitude: 0, longitude: 0 };
  let mayAsk: (slot: number) => boolean = () => true;
  let found: Neighbors = first;
  let horizonMeters = 0;
  let slot = -1;
  let etaSeconds = 0;

  function look(where: Neighbors): void {
    found = where;
    grid.nearest(space.projection.toLocal(pickup), radiusMeters, found);
    horizonMeters = found.count < found.slots.length ? Infinity : Math.sqrt(found.squaredMeters[found.count - 1] ?? 0);
    ranking.reset(found.slots.length);
  }

  /** Nobody whose travel time is not worked out yet could be faster. */
  function isCertain(seconds: number): boolean {
    const { size } = ranking;
    const unseenMeters = size < found.count ? Math.sqrt(found.squaredMeters[size] ?? 0) : horizonMeters;
    return travelTime.reachMeters(seconds) * projectionSlack <= unseenMeters;
  }

  /** Sees farther, or the same way again where others took most of what was seen; false when there is no more to see. */
  function lookAgain(): boolean {
    if (horizonMeters === Infinity) return false;
    const k = found.slots.length;
    let taken = 0;
    for (let index = 0; index < k; index++) if (!grid.has(found.slots[index] ?? -1)) taken++;
    const wanted = taken * 2 >= k ? k : k * 4;
    if (wanted > neighborsMax) return false;
    look(found !== first && wanted === k ? found : createNeighbors(wanted));
    return true;
  }

  function rankNext(): void {
    const next = found.slots[ranking.size] ?? -1;
    ranking.add(next, secondsTo(pickup, next, space));
  }

  return {
    begin(from, may) {
      pickup = from;
      mayAsk = may;
      look(first);
    },
    next() {
      for (;;) {
        const best = ranking.peek();
        if (best === Infinity || !isCertain(best)) {
          if (ranking.size < found.count) {
            rankNext();
            continue;
          }
          if (lookAgain()) continue;
          if (best === Infinity) return false;
        }
        if (best > etaMaxSeconds) return false;
        slot = ranking.pop();
        etaSeconds = best;
        if (grid.has(slot) && mayAsk(slot)) return true;
      }
    },
    get slot() {
      return slot;
    },
    get etaSeconds() {
      return etaSeconds;
    },
    nearestSlot: (rank) => (rank < first.count ? (first.slots[rank] ?? -1) : -1),
    secondsFrom: (from) => secondsTo(pickup, from, space),
  };
}

function secondsTo(pickup: LatLng, slot: number, { points, projection, travelTime }: SearchSpace): number {
  const { x, y } = points.columns;
  return travelTime.seconds(projection.toLatLng({ x: x[slot] ?? 0, y: y[slot] ?? 0 }), pickup);
}

/** Slots by their seconds, least first, equal ones by driver, so that a tick replays to the same answer. */
interface Ranking {
  /** How many were added since the reset. */
  readonly size: number;
  reset(capacity: number): void;
  add(slot: number, seconds: number): void;
  /** The least seconds not taken yet; Infinity when there are none. */
  peek(): number;
  pop(): number;
}

function createRanking(points: MovingPoints): Ranking {
  let slots = new Int32Array(neighborsFirst);
  let seconds = new Float64Array(neighborsFirst);
  let size = 0;
  let popped = 0;
  return {
    get size() {
      return size;
    },
    reset(capacity) {
      size = 0;
      popped = 0;
      if (slots.length === capacity) return;
      slots = new Int32Array(capacity);
      seconds = new Float64Array(capacity);
    },
    add(slot, its) {
      let at = size++;
      for (; at > popped && isAfter(at - 1, slot, its); at--) {
        slots[at] = slots[at - 1] ?? -1;
        seconds[at] = seconds[at - 1] ?? 0;
      }
      slots[at] = slot;
      seconds[at] = its;
    },
    peek: () => (popped < size ? (seconds[popped] ?? Infinity) : Infinity),
    pop: () => slots[popped++] ?? -1,
  };

  function isAfter(at: number, slot: number, its: number): boolean {
    const other = seconds[at] ?? 0;
    return other > its || (other === its && (points.idAt(slots[at] ?? -1) ?? "") > (points.idAt(slot) ?? ""));
  }
}
