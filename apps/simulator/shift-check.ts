/**
 * Checks what one driver's stream says: every version in order, no offer while on a ride, no ride while on another.
 *
 * The stream tells each version once and in order, so what it says is exact, however late it comes.
 */
import type { WatchOffersResponse } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { DriverStatus } from "@ridegrid/contracts/gen/type/v1/driver_pb";
import { RideStatus, type Ride } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import { createVersionCheck, type Witness } from "./witness.ts";

const drivenStatuses: ReadonlySet<RideStatus> = new Set([RideStatus.ASSIGNED, RideStatus.ARRIVED, RideStatus.IN_PROGRESS]);

/** Whether this driver is on the ride: assigned, at the pickup or under way. */
export function isDriving(ride: Ride, driverId: string): boolean {
  return ride.driverId === driverId && drivenStatuses.has(ride.status);
}

export function createShiftCheck(witness: Witness, driverId: string): (message: WatchOffersResponse) => void {
  const checkVersion = createVersionCheck(witness, `the stream of driver "${driverId}"`, { repeats: true });
  let riding: string | null = null;

  function onRide(ride: Ride): void {
    if (!isDriving(ride, driverId)) {
      if (riding === ride.rideId) riding = null;
      return;
    }
    if (riding !== null && riding !== ride.rideId)
      witness.report({ invariant: "I1", detail: `driver "${driverId}" was told of ride "${ride.rideId}" while on ride "${riding}"` });
    riding = ride.rideId;
  }

  return ({ cursor, reset, update }) => {
    const version = versionOf(cursor);
    if (version !== null) checkVersion(version, reset);
    if (reset) riding = null;
    if (update.case === "ride") onRide(update.value);
    if (update.case === "driver" && (update.value.status === DriverStatus.AVAILABLE || update.value.status === DriverStatus.OFFLINE)) riding = null;
    if (update.case === "offer" && riding !== null)
      witness.report({ invariant: "I2", detail: `driver "${driverId}" was offered ride "${update.value.rideId}" while on ride "${riding}"` });
  };
}

/** A cursor is opaque to a client and documented as the driver's version; a witness looks where it can. */
function versionOf(cursor: string): number | null {
  const digits = /^(?:d\.)?(\d{1,15})(?:\.\d+)?$/.exec(cursor)?.[1];
  return digits === undefined ? null : Number(digits);
}
