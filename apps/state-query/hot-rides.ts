/**
 * Rides that were folded or read a moment ago, with the time up to which each is complete. A read that finds one here
 * asks no table; one that does not, or when there is no cache, asks the tables. Watchers always do.
 */
import type { Ride } from "@ridegrid/domain";
import { hotRideKeptMs } from "./limits.ts";
import type { ReadCache } from "./read-cache.ts";
import type { RideWrites } from "./ride-store.ts";

type HotRide = { readonly ride: Ride; readonly asOfMs: number };

export interface HotRides {
  /** Null when there is none of that version or above. */
  get(rideId: string, minVersion: number): Promise<HotRide | null>;
  /** Waits for nothing. Without `asOfMs` there is nothing true to say with it. */
  put(ride: Ride, asOfMs: number | null): void;
  /** A fold's rides: complete up to the newest of their records. */
  folded(writes: RideWrites): void;
}

export function createHotRides({ cache, region }: { readonly cache: ReadCache; readonly region: string }): HotRides {
  const keyOf = (rideId: string): string => `${region}:ride:${rideId}`;

  function put(ride: Ride, asOfMs: number | null): void {
    if (asOfMs === null) return;
    const hot: HotRide = { ride, asOfMs };
    void cache.put(keyOf(ride.rideId), { version: ride.version, value: JSON.stringify(hot) }, hotRideKeptMs);
  }

  return {
    async get(rideId, minVersion) {
      const cached = await cache.get(keyOf(rideId));
      if (cached === null || cached.version < minVersion) return null;
      return decodeHotRide(cached.value, cached.version);
    },
    put,
    folded({ rides, applied }) {
      const appendedAtMs = new Map<string, number>();
      for (const { event, source } of applied) appendedAtMs.set(event.rideId, Math.max(source.appendedAtMs, appendedAtMs.get(event.rideId) ?? 0));
      for (const ride of rides) put(ride, appendedAtMs.get(ride.rideId) ?? null);
    },
  };
}

/** Null for what another release wrote. */
function decodeHotRide(value: string, version: number): HotRide | null {
  try {
    const hot = JSON.parse(value) as HotRide;
    return typeof hot.asOfMs === "number" && hot.ride.version === version ? hot : null;
  } catch {
    return null;
  }
}
