/**
 * Where a ride is at home: asked of the coordinator once and remembered until a takeover is noticed, which alone changes it.
 * A ride that does not exist is remembered too, for a moment.
 */
import type { HandlerContext } from "@connectrpc/connect";
import type { Clock } from "@ridegrid/domain";
import { apiError, reasonOf, type ServiceDirectory, type ServingRegions } from "@ridegrid/rpc";
import { createBoundedMap } from "./bounded-map.ts";
import { ask } from "./dependency.ts";
import { ridesLocatedMax, rideUnknownTtlMs } from "./limits.ts";

export type RideHome = { readonly homeRegion: string; readonly marketId: string };

export interface RideLocator {
  /** @throws RIDE_NOT_FOUND */
  locate(rideId: string, context: HandlerContext): Promise<RideHome>;
  /** After the remembered region did not answer or did not know the ride. */
  forget(rideId: string): void;
}

type Remembered = { readonly kind: "home"; readonly home: RideHome } | { readonly kind: "unknown"; readonly untilMs: number };

export function createRideLocator(directory: ServiceDirectory, clock: Clock, serving: Pick<ServingRegions, "change">): RideLocator {
  const remembered = createBoundedMap<string, Remembered>(ridesLocatedMax);
  let unchanged = serving.change();
  return {
    async locate(rideId, context) {
      if (unchanged.aborted) remembered.clear();
      unchanged = serving.change();
      const known = remembered.get(rideId);
      if (known?.kind === "home") return known.home;
      if (known !== undefined && known.untilMs > clock.nowMs()) throw rideNotFound(rideId);
      try {
        const { homeRegion, marketId } = await ask(context, (options) => directory.coordinator().locateRide({ rideId }, options));
        remembered.set(rideId, { kind: "home", home: { homeRegion, marketId } });
        return { homeRegion, marketId };
      } catch (error) {
        if (reasonOf(error) === "RIDE_NOT_FOUND") remembered.set(rideId, { kind: "unknown", untilMs: clock.nowMs() + rideUnknownTtlMs });
        throw error;
      }
    },
    forget: (rideId) => remembered.delete(rideId),
  };
}

export function rideNotFound(rideId: string): Error {
  return apiError("RIDE_NOT_FOUND", `Ride "${rideId}" was not found`);
}
