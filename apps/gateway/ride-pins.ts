/** The one place where a ride meets its PIN: on the way to its own rider, while the ride is open. */
import { ridePin } from "@ridegrid/contracts";
import { type Ride, RideStatus } from "@ridegrid/contracts/gen/type/v1/ride_pb";

/** Nothing behind the gateway sends a PIN; clearing the field keeps it so for everybody else. */
export function withoutPin<R extends Ride | undefined>(ride: R): R {
  return ride === undefined || ride.pin === "" ? ride : { ...ride, pin: "" };
}

export function withPin<R extends Ride | undefined>(ride: R, secret: string): R {
  return ride !== undefined && openStatuses.has(ride.status) ? { ...ride, pin: ridePin(secret, ride.rideId) } : withoutPin(ride);
}

const openStatuses: ReadonlySet<RideStatus> = new Set([
  RideStatus.REQUESTED,
  RideStatus.OFFERED,
  RideStatus.ASSIGNED,
  RideStatus.ARRIVED,
  RideStatus.IN_PROGRESS,
]);
