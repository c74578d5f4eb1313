/** Who may see a ride: its rider, its assigned driver, operators and viewers, and RideGrid itself. To others there is none. */
import { type Ride, rideDriver, unreachable } from "@ridegrid/domain";
import { apiError, type Caller } from "@ridegrid/rpc";

/** @throws RIDE_NOT_FOUND for another person's ride. */
export function requireVisible(ride: Ride, caller: Caller): void {
  if (!isVisible(ride, caller)) throw rideNotFound(ride.rideId);
}

export function rideNotFound(rideId: string): Error {
  return apiError("RIDE_NOT_FOUND", `Ride "${rideId}" was not found`);
}

function isVisible(ride: Ride, { principal, role }: Caller): boolean {
  switch (role) {
    case "rider":
      return principal === ride.riderId;
    case "driver":
      // Before the accept a driver sees the offer, not the ride.
      return ride.status !== "offered" && principal === rideDriver(ride);
    case "operator":
    case "viewer":
    case "service":
      return true;
    default:
      return unreachable(role);
  }
}
