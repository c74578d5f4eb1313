/**
 * The open rides of one market: a snapshot, and the fold of their events by dense versions. What was applied is
 * dropped when it comes again; a missing version is a gap, and then only a new snapshot helps.
 */
import { evolveRide, isOpen, type Ride, type RideEvent, type RideStatus, putBounded } from "@ridegrid/domain";
import { endedRidesKeptMax, ridesMax } from "./limits.ts";

export type Applied = "applied" | "known" | "gap" | "full";

export interface RideBook {
  readonly rides: ReadonlyMap<string, Ride>;
  /** Those of `rides` in one status: a tick looks at who waits, not at everybody on the road. */
  inStatus(status: RideStatus): ReadonlyMap<string, Ride>;
  replace(rides: readonly Ride[], asOfMs: number): void;
  apply(event: RideEvent): Applied;
}

/** An open ride before and after it changed: null when it was not known, and when a snapshot has replaced what was known. */
export type RideListener = (before: Ride | null, after: Ride | null) => void;

/** `onChange` hears of each ride's new state, ended ones included. */
export function createRideBook(onChange: RideListener): RideBook {
  const rides = new Map<string, Ride>();
  const byStatus = new Map<RideStatus, Map<string, Ride>>();
  const ended = new Map<string, number>();
  let snapshotAtMs = 0;

  function put(ride: Ride): void {
    const before = rides.get(ride.rideId) ?? null;
    if (before !== null && before.status !== ride.status) byStatus.get(before.status)?.delete(ride.rideId);
    if (isOpen(ride.status)) {
      rides.set(ride.rideId, ride);
      inStatus(ride.status).set(ride.rideId, ride);
    } else {
      rides.delete(ride.rideId);
      putBounded(ended, [ride.rideId, ride.version], endedRidesKeptMax);
    }
    onChange(before, ride);
  }

  function inStatus(status: RideStatus): Map<string, Ride> {
    const known = byStatus.get(status) ?? new Map<string, Ride>();
    byStatus.set(status, known);
    return known;
  }

  return {
    rides,
    inStatus,
    replace(snapshot, asOfMs) {
      snapshotAtMs = asOfMs;
      for (const ride of rides.values()) onChange(ride, null);
      rides.clear();
      byStatus.clear();
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
