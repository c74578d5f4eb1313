/** Domain words <-> the enums of the contract, one table each way. A number that is not in the contract is a decoding error. */
import type { CancelReason, DriverStatus, OfferStatus, Party, RideStatus } from "@ridegrid/domain";
import { DriverStatus as WireDriverStatus } from "./gen/ridegrid/type/v1/driver_pb.ts";
import {
  CancelReason as WireCancelReason,
  OfferStatus as WireOfferStatus,
  Party as WireParty,
  RideStatus as WireRideStatus,
} from "./gen/ridegrid/type/v1/ride_pb.ts";

const rideStatuses: Readonly<Record<RideStatus, WireRideStatus>> = {
  requested: WireRideStatus.REQUESTED,
  offered: WireRideStatus.OFFERED,
  assigned: WireRideStatus.ASSIGNED,
  arrived: WireRideStatus.ARRIVED,
  in_progress: WireRideStatus.IN_PROGRESS,
  completed: WireRideStatus.COMPLETED,
  canceled: WireRideStatus.CANCELED,
  no_drivers: WireRideStatus.NO_DRIVERS,
};

const offerStatuses: Readonly<Record<OfferStatus, WireOfferStatus>> = {
  pending: WireOfferStatus.PENDING,
  accepted: WireOfferStatus.ACCEPTED,
  declined: WireOfferStatus.DECLINED,
  expired: WireOfferStatus.EXPIRED,
  withdrawn: WireOfferStatus.WITHDRAWN,
  released: WireOfferStatus.RELEASED,
  finished: WireOfferStatus.FINISHED,
};

const driverStatuses: Readonly<Record<DriverStatus, WireDriverStatus>> = {
  offline: WireDriverStatus.OFFLINE,
  available: WireDriverStatus.AVAILABLE,
  offered: WireDriverStatus.OFFERED,
  en_route: WireDriverStatus.EN_ROUTE,
  on_trip: WireDriverStatus.ON_TRIP,
};

const parties: Readonly<Record<Party, WireParty>> = {
  rider: WireParty.RIDER,
  driver: WireParty.DRIVER,
  operator: WireParty.OPERATOR,
  system: WireParty.SYSTEM,
};

const cancelReasons: Readonly<Record<CancelReason, WireCancelReason>> = {
  unspecified: WireCancelReason.UNSPECIFIED,
  rider_changed_mind: WireCancelReason.RIDER_CHANGED_MIND,
  wait_too_long: WireCancelReason.WAIT_TOO_LONG,
  no_show: WireCancelReason.NO_SHOW,
  vehicle_problem: WireCancelReason.VEHICLE_PROBLEM,
  safety: WireCancelReason.SAFETY,
  other: WireCancelReason.OTHER,
  arrival_timeout: WireCancelReason.ARRIVAL_TIMEOUT,
  driver_silent: WireCancelReason.DRIVER_SILENT,
};

export const rideStatusToWire = (status: RideStatus): WireRideStatus => rideStatuses[status];
export const offerStatusToWire = (status: OfferStatus): WireOfferStatus => offerStatuses[status];
export const driverStatusToWire = (status: DriverStatus): WireDriverStatus => driverStatuses[status];
export const partyToWire = (party: Party): WireParty => parties[party];
export const cancelReasonToWire = (reason: CancelReason): WireCancelReason => cancelReasons[reason];

export const rideStatusFromWire = inverse("ride status", rideStatuses);
export const offerStatusFromWire = inverse("offer status", offerStatuses);
export const driverStatusFromWire = inverse("driver status", driverStatuses);
export const partyFromWire = inverse("party", parties);
export const cancelReasonFromWire = inverse("cancel reason", cancelReasons);

function inverse<Word extends string>(what: string, table: Readonly<Record<Word, number>>): (wire: number) => Word {
  const words = new Map<number, Word>();
  for (const word in table) words.set(table[word], word);
  return (wire) => {
    const word = words.get(wire);
    if (word === undefined) throw new Error(`Cannot decode ${what} ${wire}: not in the contract`);
    return word;
  };
}
