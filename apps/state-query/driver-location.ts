/** Where a rider's driver is and how long it takes from there: great-circle distance × detour at the market's speed. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@ridegrid/contracts";
import { type DriverLocation, DriverLocationSchema } from "@ridegrid/contracts/gen/rider/v1/rider_service_pb";
import { LatLngSchema } from "@ridegrid/contracts/gen/type/v1/geo_pb";
import { type Clock, haversineMeters, type Ride, type TravelModel } from "@ridegrid/domain";
import type { Regions } from "@ridegrid/spatial";
import type { LastPosition, LastPositions } from "./last-positions.ts";
import { locationIntervalMs, positionShownMaxMs } from "./limits.ts";

/** The driver that the ride's rider may watch: from the accept to the end, nobody else. */
export function shownDriver(ride: Ride): string | null {
  const shown = ride.status === "assigned" || ride.status === "arrived" || ride.status === "in_progress";
  return shown ? (ride.offer?.driverId ?? null) : null;
}

export interface ShownLocations {
  /** The next location worth saying: the driver has moved, was seen a moment ago, and the last one was said a while ago. */
  next(ride: Ride): DriverLocation | null;
}

export type ShownLocationsDeps = { readonly positions: Pick<LastPositions, "get">; readonly regions: Pick<Regions, "market">; readonly clock: Clock };

/** Those of one stream. */
export function createShownLocations({ positions, regions, clock }: ShownLocationsDeps): ShownLocations {
  let said: { readonly atMs: number; readonly driver: string; readonly observedAtMs: number } | null = null;
  return {
    next(ride) {
      const nowMs = clock.nowMs();
      const driver = shownDriver(ride);
      const position = driver === null ? undefined : positions.get(driver);
      if (driver === null || position === undefined) return null;
      // The clock may be set back: what was said in the future was said a while ago.
      if (said !== null && Math.abs(nowMs - said.atMs) < locationIntervalMs) return null;
      if (said?.driver === driver && position.observedAtMs <= said.observedAtMs) return null;
      if (nowMs - position.observedAtMs > positionShownMaxMs) return null;
      said = { atMs: nowMs, driver, observedAtMs: position.observedAtMs };
      return driverLocation(ride, position, regions.market(ride.marketId)?.travel ?? null);
    },
  };
}

function driverLocation(ride: Ride, position: LastPosition, travel: TravelModel | null): DriverLocation {
  const { latitude, longitude, headingDegrees, observedAtMs } = position;
  return create(DriverLocationSchema, {
    location: create(LatLngSchema, { latitude, longitude }),
    headingDegrees,
    etaSeconds: etaSeconds(ride, position, travel),
    observeTime: timestampFromMs(observedAtMs),
  });
}

function etaSeconds(ride: Ride, position: LastPosition, travel: TravelModel | null): number {
  if (ride.status === "arrived" || travel === null) return 0;
  const goal = ride.status === "in_progress" ? ride.dropoff : ride.pickup;
  return Math.round((haversineMeters(position, goal) * travel.detour) / travel.speedMps);
}
