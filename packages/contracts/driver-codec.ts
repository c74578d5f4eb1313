/**
 * Drivers and their events, domain <-> wire. A driver event carries the whole driver, and the ride and offer that
 * changed it, so that a reader of `driver-events.v1` needs nothing else.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Driver, driverId, marketId, type OfferId, offerId, type OfferStatus, regionId, type Ride, rideId, shiftId } from "@ridegrid/domain";
import { type DriverEvent as WireDriverEvent, DriverEventSchema } from "./gen/ridegrid/event/v1/events_pb.ts";
import { type Driver as WireDriver, DriverSchema } from "./gen/ridegrid/type/v1/driver_pb.ts";
import { present, rideToWire, vehicleFromWire } from "./ride-codec.ts";
import { type Envelope, envelopeToWire } from "./ride-event-codec.ts";
import { msFromTimestamp, optionalTime, timestampFromMs } from "./time-codec.ts";
import { driverStatusFromWire, driverStatusToWire, offerStatusToWire } from "./wire-enums.ts";

/** The offer that an event concerns, as it stands after the event. `expiresAtMs` is null once it is not pending. */
export type ConcernedOffer = { readonly offerId: OfferId; readonly status: OfferStatus; readonly expiresAtMs: number | null };

export type DriverChange = {
  readonly driver: Driver;
  /** "ShiftStarted", "ShiftEnded", or the ride event's type. */
  readonly cause: string;
  readonly ride: Ride | null;
  readonly offer: ConcernedOffer | null;
};

/** `ride` is the driver's open ride; while offered the driver has none yet. Offline, the shift is history and stays away. */
export function driverToWire(driver: Driver, ride: Ride | null): WireDriver {
  const shift = driver.status === "offline" ? null : driver.shift;
  const onRide = driver.status === "en_route" || driver.status === "on_trip" ? ride : null;
  return create(DriverSchema, {
    driverId: driver.driverId,
    status: driverStatusToWire(driver.status),
    version: BigInt(driver.version),
    offerId: driver.offerId ?? "",
    updateTime: timestampFromMs(driver.updateTimeMs),
    ...(onRide === null ? {} : { ride: rideToWire(onRide) }),
    ...(shift === null
      ? {}
      : {
          marketId: shift.marketId,
          homeRegion: shift.homeRegion,
          shiftId: shift.shiftId,
          shiftStartTime: timestampFromMs(shift.startedAtMs),
          vehicle: { seats: shift.vehicle.seats, plate: shift.vehicle.plate, model: shift.vehicle.model },
          acceptReassignment: shift.acceptReassignment,
        }),
  });
}

/** `partition` is the shift's market's: the wire does not carry it. */
export function driverFromWire(wire: WireDriver, partition: number): Driver {
  const status = driverStatusFromWire(wire.status);
  return {
    driverId: driverId(wire.driverId),
    status,
    version: Number(wire.version),
    shift:
      wire.shiftId === ""
        ? null
        : {
            shiftId: shiftId(wire.shiftId),
            marketId: marketId(wire.marketId),
            homeRegion: regionId(wire.homeRegion),
            partition,
            vehicle: vehicleFromWire(wire.vehicle),
            acceptReassignment: wire.acceptReassignment,
            startedAtMs: msFromTimestamp(wire.shiftStartTime) ?? 0,
          },
    rideId: wire.ride === undefined ? null : rideId(wire.ride.rideId),
    offerId: wire.offerId === "" ? null : offerId(wire.offerId),
    updateTimeMs: msFromTimestamp(wire.updateTime) ?? 0,
  };
}

export function encodeDriverEvent(change: DriverChange, envelope: Envelope): Uint8Array {
  const { driver, ride, offer, cause } = change;
  return toBinary(
    DriverEventSchema,
    create(DriverEventSchema, {
      envelope: envelopeToWire(envelope),
      driver: driverToWire(driver, ride),
      cause,
      ...(ride === null ? {} : { ride: rideToWire(ride) }),
      ...(offer === null
        ? {}
        : { offerId: offer.offerId, offerStatus: offerStatusToWire(offer.status), ...optionalTime("offerExpireTime", offer.expiresAtMs) }),
    }),
  );
}

/** The wire message, checked for what every reader relies on. */
export function decodeDriverEvent(bytes: Uint8Array): WireDriverEvent & { readonly driver: WireDriver } {
  const wire = fromBinary(DriverEventSchema, bytes);
  return { ...wire, driver: present(wire.driver, "driver") };
}
