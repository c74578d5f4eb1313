/**
 * One market as operators see it, shared by all who watch it: each watcher is a revision and nothing else, so a slow
 * one costs no memory and gets, when it reads again, what has changed since in one message.
 */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type MarketCell,
  MarketCellSchema,
  type MarketDriver,
  type MarketRide,
  type WatchMarketResponse,
  WatchMarketResponseSchema,
} from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { marketGoneMax } from "./limits.ts";
import { createRevisedMap } from "./revised-map.ts";

export type MarketFacts = {
  readonly drivers: readonly MarketDriver[];
  readonly rides: readonly MarketRide[];
  /** How rides stand that were open at the last update and are not among `rides`. */
  readonly ended: readonly MarketRide[];
  readonly cells: readonly MarketCell[];
  readonly truncated: boolean;
};

export interface MarketBoard {
  /** Says whether anything changed. */
  update(facts: MarketFacts): boolean;
  openRideIds(): readonly string[];
  revision(): number;
  /** Null when nothing changed since; a snapshot for a reader without a revision, or one too far behind. */
  since(revision: number | null): WatchMarketResponse | null;
}

export function createMarketBoard(): MarketBoard {
  const drivers = createRevisedMap<MarketDriver>({ same: sameDriver, goneMax: marketGoneMax });
  const rides = createRevisedMap<MarketRide>({ same: sameRide, goneMax: marketGoneMax });
  const cells = createRevisedMap<MarketCell>({ same: sameCell, goneMax: marketGoneMax });
  /** How the rides that have left `rides` ended: what a reader is told of them. */
  const ends = new Map<string, MarketRide>();
  let revision = 0;
  let truncated = false;

  function keepEnds(ended: readonly MarketRide[], open: readonly MarketRide[]): void {
    for (const ride of ended) ends.set(ride.rideId, ride);
    for (const { rideId } of open) ends.delete(rideId);
    for (const oldest of ends.keys()) {
      if (ends.size <= marketGoneMax) return;
      ends.delete(oldest);
    }
  }

  function changes(from: number): MessageInitShape<typeof WatchMarketResponseSchema> | null {
    const [ofDrivers, ofRides, ofCells] = [drivers.since(from), rides.since(from), cells.since(from)];
    if (ofDrivers === null || ofRides === null || ofCells === null) return null;
    return {
      drivers: [...ofDrivers.changed],
      removedDriverIds: [...ofDrivers.gone],
      rides: [...ofRides.changed, ...ofRides.gone.flatMap((id) => ends.get(id) ?? [])],
      cells: [...ofCells.changed, ...ofCells.gone.map((cell) => create(MarketCellSchema, { cell, surgeMultiplier: 1 }))],
      truncated,
    };
  }

  return {
    update(facts) {
      const next = revision + 1;
      keepEnds(facts.ended, facts.rides);
      const moved = [
        drivers.replace(
          keyed(facts.drivers, (one) => one.driverId),
          next,
        ),
        rides.replace(
          keyed(facts.rides, (one) => one.rideId),
          next,
        ),
        cells.replace(
          keyed(facts.cells, (one) => one.cell),
          next,
        ),
        facts.truncated !== truncated,
      ].includes(true);
      truncated = facts.truncated;
      if (moved) revision = next;
      return moved;
    },
    openRideIds: () => rides.values().map(({ rideId }) => rideId),
    revision: () => revision,
    since(from) {
      if (from === revision) return null;
      const delta = from === null ? null : changes(from);
      const whole = { snapshot: true, drivers: [...drivers.values()], rides: [...rides.values()], cells: [...cells.values()], truncated };
      return create(WatchMarketResponseSchema, delta ?? whole);
    },
  };
}

function keyed<T>(items: readonly T[], key: (item: T) => string): ReadonlyMap<string, T> {
  return new Map(items.map((item) => [key(item), item]));
}

function sameDriver(left: MarketDriver, right: MarketDriver): boolean {
  return (
    left.status === right.status &&
    left.stale === right.stale &&
    left.headingDegrees === right.headingDegrees &&
    left.location?.latitude === right.location?.latitude &&
    left.location?.longitude === right.location?.longitude
  );
}

function sameRide(left: MarketRide, right: MarketRide): boolean {
  return left.status === right.status && left.driverId === right.driverId;
}

function sameCell(left: MarketCell, right: MarketCell): boolean {
  return left.supply === right.supply && left.demand === right.demand && left.surgeMultiplier === right.surgeMultiplier;
}
