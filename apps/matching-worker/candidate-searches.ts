/**
 * For each of a tick's pickups the drivers, fastest first, found as far as they are asked for.
 *
 * Exact: a driver is handed out only when nobody farther away than those looked at could be faster. Travel times are
 * worked out only as far as that needs. All searches share a few typed arrays, used again tick after tick: thousands
 * of them stay near the processor and leave no garbage.
 */
import type { LatLng } from "@ridegrid/domain";
import { type CsrGrid, createNeighbors, type MovingPoints, type Neighbors, type Projection } from "@ridegrid/spatial";
import { neighborsFirst, neighborsKeptMax, neighborsMax, projectionSlack } from "./limits.ts";
import type { TravelTime } from "./travel-time.ts";

/** A search is known by its row among the pickups, a driver by the place in the grid. */
export interface CandidateSearches {
  /** `mayAsk` says whether a driver who is free and near may be asked. */
  begin(riders: readonly Rider[], mayAsk: (row: number, place: number) => boolean): void;
  /** Moves on to the next driver who may be asked, once the one before is taken; false when there is none within the market's bound. */
  next(row: number): boolean;
  /** The driver that `next` moved to. */
  place(row: number): number;
  etaSeconds(row: number): number;
  /** Whoever was nearest at the first `next`, by rank from 0, may be asked or not, taken since or not; -1 beyond those looked at. */
  nearestPlace(row: number, rank: number): number;
  nearestSeconds(row: number, rank: number): number;
}

export type Rider = { readonly pickup: LatLng };

export type SearchSpace = {
  readonly grid: CsrGrid;
  readonly points: Pick<MovingPoints, "idAt">;
  readonly projection: Projection;
  readonly travelTime: TravelTime;
  readonly etaMaxSeconds: number;
};

export function createCandidateSearches(space: SearchSpace): CandidateSearches {
  const { grid, points, projection, travelTime, etaMaxSeconds } = space;
  const radiusMeters = travelTime.reachMeters(etaMaxSeconds) * projectionSlack;
  const found = new Map<number, Neighbors>();
  let riders: readonly Rider[] = [];
  let mayAsk: (row: number, place: number) => boolean = () => false;
  let rows = createRows(0);
  let lists = createLists(0);
  let listsEnd = 0;

  function look(row: number, start: number, capacity: number): void {
    const near = found.get(capacity) ?? createNeighbors(capacity);
    found.set(capacity, near);
    grid.nearest(projection.toLocal(riders[row]!.pickup), radiusMeters, near);
    for (let rank = 0; rank < near.count; rank++) {
      lists.places[start + rank] = near.places[rank]!;
      lists.squaredMeters[start + rank] = near.squaredMeters[rank]!;
      lists.seconds[start + rank] = unknown;
    }
    for (let rank = near.count; rank < capacity; rank++) lists.places[start + rank] = -1;
    rows.starts[row] = start;
    rows.capacities[row] = capacity;
    rows.counts[row] = near.count;
    rows.ranked[row] = 0;
    rows.popped[row] = 0;
  }

  /** Sees farther, or the same way again where others took most of what was seen; false when there is no more to see. */
  function lookAgain(row: number): boolean {
    const [start, capacity] = [rows.starts[row]!, rows.capacities[row]!];
    if (rows.counts[row]! < capacity) return false;
    let taken = 0;
    for (let entry = start; entry < start + capacity; entry++) if (!grid.has(lists.places[entry]!)) taken++;
    const isSpent = taken * 2 >= capacity;
    if (!isSpent && capacity === neighborsMax) return false;
    const wanted = isSpent ? capacity : Math.min(capacity * 4, neighborsMax);
    // Who was nearest at first stays known.
    const isFirst = start === row * neighborsFirst;
    look(row, isSpent && !isFirst ? start : claim(wanted), wanted);
    return true;
  }

  function claim(entries: number): number {
    const start = listsEnd;
    listsEnd += entries;
    if (listsEnd > lists.places.length) lists = grownLists(lists, listsEnd * 2);
    return start;
  }

  function secondsOf(row: number, entry: number): number {
    const known = lists.seconds[entry]!;
    if (known !== unknown) return known;
    const place = lists.places[entry]!;
    return (lists.seconds[entry] = travelTime.seconds(projection.toLatLng({ x: grid.xAt(place), y: grid.yAt(place) }), riders[row]!.pickup));
  }

  /** By seconds, equal ones by driver, so that a tick replays to the same answer. */
  function rankNext(row: number): void {
    const { order, seconds } = lists;
    const start = rows.starts[row]!;
    const entry = start + rows.ranked[row]!;
    const its = secondsOf(row, entry);
    let at = start + rows.ranked[row]!++;
    for (const first = start + rows.popped[row]!; at > first; at--) {
      const other = order[at - 1]!;
      if (seconds[other]! < its || (seconds[other] === its && idOf(other) <= idOf(entry))) break;
      order[at] = other;
    }
    order[at] = entry;
  }

  function idOf(entry: number): string {
    return points.idAt(grid.slotAt(lists.places[entry]!)) ?? "";
  }

  /** The least seconds not handed out yet; Infinity when there are none. */
  function leastSeconds(row: number): number {
    const popped = rows.popped[row]!;
    return popped < rows.ranked[row]! ? lists.seconds[lists.order[rows.starts[row]! + popped]!]! : Infinity;
  }

  /** Nobody whose travel time is not worked out yet could be faster. */
  function isCertain(row: number, seconds: number): boolean {
    const count = rows.counts[row]!;
    const ranked = rows.ranked[row]!;
    if (ranked === count && count < rows.capacities[row]!) return true;
    const unseenMeters = Math.sqrt(lists.squaredMeters[rows.starts[row]! + Math.min(ranked, count - 1)]!);
    return travelTime.reachMeters(seconds) * projectionSlack <= unseenMeters;
  }

  /** The entry that `next` moved to. */
  function entryOf(row: number): number {
    return lists.order[rows.starts[row]! + rows.popped[row]! - 1]!;
  }

  return {
    begin(theirs, may) {
      riders = theirs;
      mayAsk = may;
      if (rows.starts.length < riders.length) rows = createRows(riders.length * 2);
      rows.capacities.fill(0, 0, riders.length);
      if (lists.places.length > neighborsKeptMax) lists = createLists(0);
      listsEnd = 0;
      claim(riders.length * neighborsFirst);
    },
    next(row) {
      if (rows.capacities[row] === 0) look(row, row * neighborsFirst, neighborsFirst);
      for (;;) {
        const best = leastSeconds(row);
        if (best === Infinity || !isCertain(row, best)) {
          if (rows.ranked[row]! < rows.counts[row]!) {
            rankNext(row);
            continue;
          }
          if (lookAgain(row)) continue;
          if (best === Infinity) return false;
        }
        if (best > etaMaxSeconds) return false;
        rows.popped[row]!++;
        const place = lists.places[entryOf(row)]!;
        if (grid.has(place) && mayAsk(row, place)) return true;
      }
    },
    place: (row) => lists.places[entryOf(row)]!,
    etaSeconds: (row) => lists.seconds[entryOf(row)]!,
    nearestPlace: (row, rank) => lists.places[row * neighborsFirst + rank]!,
    nearestSeconds: (row, rank) => secondsOf(row, row * neighborsFirst + rank),
  };
}

/** By row: where its entries begin in the lists and how many have room, were found, are ranked and were handed out. */
type Rows = {
  readonly starts: Int32Array;
  readonly capacities: Int32Array;
  readonly counts: Int32Array;
  readonly ranked: Int32Array;
  readonly popped: Int32Array;
};

function createRows(length: number): Rows {
  return {
    starts: new Int32Array(length),
    capacities: new Int32Array(length),
    counts: new Int32Array(length),
    ranked: new Int32Array(length),
    popped: new Int32Array(length),
  };
}

/** By entry, nearest first from a search's start on; `order` has from that start on its ranked entries, fastest first. */
type Lists = { readonly places: Int32Array; readonly squaredMeters: Float64Array; readonly seconds: Float64Array; readonly order: Int32Array };

const unknown = -1;

function createLists(length: number): Lists {
  return { places: new Int32Array(length), squaredMeters: new Float64Array(length), seconds: new Float64Array(length), order: new Int32Array(length) };
}

function grownLists(old: Lists, length: number): Lists {
  const grown = createLists(length);
  grown.places.set(old.places);
  grown.squaredMeters.set(old.squaredMeters);
  grown.seconds.set(old.seconds);
  grown.order.set(old.order);
  return grown;
}
