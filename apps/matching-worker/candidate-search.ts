/**
 * The drivers for one pickup, fastest first, found as far as they are asked for.
 *
 * Exact: a driver is handed out only when nobody farther away than those looked at could be faster. Drivers that may
 * not be asked are kept with the reason, for whoever wants to know why.
 */
import type { LatLng } from "@ridegrid/domain";
import { type CsrGrid, createNeighbors, type MovingPoints, type Projection } from "@ridegrid/spatial";
import { neighborsFirst, neighborsMax, projectionSlack } from "./limits.ts";
import type { TravelTime } from "./travel-time.ts";

export type Candidate = { readonly slot: number; readonly driverId: string; readonly etaSeconds: number; readonly obstacle: string | null };

export interface CandidateSearch {
  /** The next driver who may be asked; null when there is none within the market's bound. */
  next(): Candidate | null;
  /** All looked at so far, fastest first, those who may not be asked among them. */
  seen(): readonly Candidate[];
}

export type SearchSpace = {
  readonly grid: CsrGrid;
  readonly points: MovingPoints;
  readonly projection: Projection;
  readonly travelTime: TravelTime;
  readonly etaMaxSeconds: number;
  /** Why this driver must not be asked although free and near; null when nothing is in the way. */
  readonly obstacle: (driverId: string, slot: number) => string | null;
};

export function createCandidateSearch(pickup: LatLng, space: SearchSpace): CandidateSearch {
  const { travelTime, etaMaxSeconds } = space;
  const radiusMeters = travelTime.reachMeters(etaMaxSeconds) * projectionSlack;
  let sorted: readonly Candidate[] = [];
  let handedOut = 0;
  let k = 0;
  let horizonMeters = 0;

  /** Looks farther; false when there is nothing farther to see. */
  function widen(): boolean {
    if (horizonMeters === Infinity || k >= neighborsMax) return false;
    k = k === 0 ? neighborsFirst : k * 4;
    const found = createNeighbors(k);
    space.grid.nearest(space.projection.toLocal(pickup), radiusMeters, found);
    horizonMeters = found.count < k ? Infinity : Math.sqrt(found.squaredMeters[found.count - 1] ?? 0);
    sorted = [...found.slots.subarray(0, found.count)].map((slot) => candidate(pickup, slot, space)).sort(fasterFirst);
    return true;
  }

  return {
    next() {
      for (;;) {
        const next = sorted[handedOut];
        if (next === undefined || !isCertain(next)) {
          if (widen()) continue;
          if (next === undefined) return null;
        }
        if (next.etaSeconds > etaMaxSeconds) return null;
        handedOut++;
        if (next.obstacle === null) return next;
      }
    },
    seen: () => sorted,
  };

  function isCertain(one: Candidate): boolean {
    return travelTime.reachMeters(one.etaSeconds) * projectionSlack <= horizonMeters;
  }
}

function candidate(pickup: LatLng, slot: number, { points, projection, travelTime, obstacle }: SearchSpace): Candidate {
  const { x, y } = points.columns;
  const driverId = points.idAt(slot) ?? "";
  const location = projection.toLatLng({ x: x[slot] ?? 0, y: y[slot] ?? 0 });
  return { slot, driverId, etaSeconds: travelTime.seconds(location, pickup), obstacle: obstacle(driverId, slot) };
}

function fasterFirst(a: Candidate, b: Candidate): number {
  return a.etaSeconds - b.etaSeconds || (a.driverId < b.driverId ? -1 : 1);
}
