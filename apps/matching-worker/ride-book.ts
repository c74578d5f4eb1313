/**
 * The open rides of one market: a snapshot, and the fold of their events by dense versions. What was applied is
 * dropped when it comes again; a missing version is a gap, and then only a new snapshot helps.
 */
import { evolveRide, isOpen, type Ride, type RideEvent } from "@ridegrid/domain";
import { putBounded } from "./bounded-map.ts";
import { endedRidesKeptMax, ridesMax } from "./limits.ts";

export type Applied = "applied" | "known" | "gap" | "full";

export interface RideBook {
  readonly rides: ReadonlyMap<string, Ride>;
  replace(rides: readonly Ride[], asOfMs: number): void;
  apply(event: RideEvent): Applied;
}

/** `onChange` hears of each ride's new state, ended ones included. */
export function createRideBook(onChange: (ride: Ride) => void): RideBook {
  const rides = new Map<string, Ride>();
  const ended = new Map<string, number>();
  let snapshotAtMs = 0;

  function put(ride: Ride): void {
    if (isOpen(ride.status)) {
      rides.set(ride.rideId, ride);
    } else {
      rides.delete(ride.rideId);
      putBounded(ended, [ride.rideId, ride.version], endedRidesKeptMax);
    }
    onChange(ride);
  }

  return {
    rides,
    replace(snapshot, asOfMs) {
      snapshotAtMs = asOfMs;
      rides.clear();
      ended.clear();
      snapshot.forEach(put);
    },
    apply(event) {
      const known = rides.get(event.rideId);
      const version = known?.version ?? ended.get(event.rideId) ?? 0;
      if (event.version <= version) return "known";
      if (known === undefined && event.version > 1) {
        // A ride that ended before the snapshot is not in it; what the log still tells of it is history.
        return version === 0 && event.occurredAtMs <= snapshotAtMs ? "known" : "gap";
      }
      if (event.version > version + 1) return "gap";
      if (known === undefined && rides.size >= ridesMax) return "full";
      put(evolveRide(known ?? null, event));
      return "applied";
    },
  };
}
