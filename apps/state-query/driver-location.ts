/** Where a rider's driver is and how long it takes from there: great-circle distance × detour at the market's speed. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@ridegrid/contracts";
import { type DriverLocation, DriverLocationSchema } from "@ridegrid/contracts/gen/rider/v1/rider_service_pb";
import { LatLngSchema } from "@ridegrid/contracts/gen/type/v1/geo_pb";
import { haversineMeters, type Ride, type TravelModel } from "@ridegrid/domain";
import type { LastPosition } from "./last-positions.ts";

/** The driver that the ride's rider may watch: from the accept to the end, nobody else. */
export function shownDriver(ride: Ride): string | null {
  const shown = ride.status === "assigned" || ride.status === "arrived" || ride.status === "in_progress";
  return shown ? (ride.offer?.driverId ?? null) : null;
}

export function driverLocation(ride: Ride, position: LastPosition, travel: TravelModel | null): DriverLocation {
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
