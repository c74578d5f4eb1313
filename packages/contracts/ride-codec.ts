/**
 * Rides, domain <-> wire. What people read never carries a PIN: the gateway adds it for the ride's own rider.
 */
import { create } from "@bufbuild/protobuf";
import {
  driverId,
  isOpen,
  type LatLng,
  type LiveOffer,
  type Money,
  money,
  marketId,
  offerId,
  quoteId,
  regionId,
  type Ride,
  rideDriver,
  rideId,
  riderId,
  type RideTimer,
  type Vehicle,
} from "@ridegrid/domain";
import { type OpenRide, OpenRideSchema } from "./gen/ridegrid/mesh/v1/mesh_pb.ts";
import { type LatLng as WireLatLng, LatLngSchema } from "./gen/ridegrid/type/v1/geo_pb.ts";
import { type Money as WireMoney, MoneySchema } from "./gen/ridegrid/type/v1/money_pb.ts";
import {
  type Offer as WireOffer,
  OfferSchema,
  type Receipt,
  ReceiptSchema,
  type Ride as WireRide,
  RideSchema,
  type RideVehicle,
  RideVehicleSchema,
} from "./gen/ridegrid/type/v1/ride_pb.ts";
import { msFromTimestamp, optionalTime, timestampFromMs } from "./time-codec.ts";
import { cancelReasonFromWire, cancelReasonToWire, partyFromWire, partyToWire, rideStatusFromWire, rideStatusToWire } from "./wire-enums.ts";

export function rideToWire(ride: Ride): WireRide {
  const vehicle = ride.status === "offered" ? null : (ride.offer?.vehicle ?? ride.lastVehicle);
  const receipt = receiptOf(ride);
  return create(RideSchema, {
    rideId: ride.rideId,
    riderId: ride.riderId,
    driverId: rideDriver(ride) ?? "",
    status: rideStatusToWire(ride.status),
    version: BigInt(ride.version),
    attempt: ride.attempt,
    marketId: ride.marketId,
    homeRegion: ride.homeRegion,
    pickup: latLngToWire(ride.pickup),
    dropoff: latLngToWire(ride.dropoff),
    seats: ride.seats,
    fare: moneyToWire(ride.fare),
    surgeMultiplier: ride.surge,
    pickupEtaSeconds: ride.offer?.pickupEtaSeconds ?? 0,
    dropoffEtaSeconds: ride.tripSeconds,
    ...(ride.canceledBy === null ? {} : { canceledBy: partyToWire(ride.canceledBy) }),
    ...(ride.cancelReason === null ? {} : { cancelReason: cancelReasonToWire(ride.cancelReason) }),
    ...(ride.cancellationFee === null ? {} : { cancellationFee: moneyToWire(ride.cancellationFee) }),
    ...(vehicle === null ? {} : { vehicle: vehicleToWire(vehicle) }),
    ...(receipt === null ? {} : { receipt }),
    createTime: timestampFromMs(ride.createTimeMs),
    updateTime: timestampFromMs(ride.updateTimeMs),
    offerId: ride.offer?.offerId ?? "",
  });
}

/** What the driver is shown of a pending offer; `nowMs` is the database's clock, for clients are told durations only. */
export function offerToWire(ride: Ride, offer: LiveOffer, nowMs: number): WireOffer {
  return create(OfferSchema, {
    offerId: offer.offerId,
    rideId: ride.rideId,
    pickup: latLngToWire(ride.pickup),
    dropoff: latLngToWire(ride.dropoff),
    fare: moneyToWire(ride.fare),
    pickupEtaSeconds: offer.pickupEtaSeconds,
    expiresInMs: Math.max(0, Math.round(offer.expiresAtMs - nowMs)),
  });
}

export function openRideToWire(ride: Ride): OpenRide {
  if (!isOpen(ride.status)) throw new Error(`Ride "${ride.rideId}" is ${ride.status}: not open`);
  return create(OpenRideSchema, {
    ride: rideToWire(ride),
    blockedDriverIds: [...ride.blockedDrivers],
    quoteId: ride.quoteId,
    partition: ride.partition,
    tripMeters: ride.tripMeters,
    searchDeadline: timestampFromMs(ride.searchDeadlineMs),
    timerKind: ride.timer?.kind ?? "",
    ...optionalTime("offerExpireTime", ride.offer?.expiresAtMs ?? null),
    ...optionalTime("timerTime", ride.timer?.atMs ?? null),
    ...optionalTime("assignTime", ride.assignedAtMs),
    ...optionalTime("noShowTime", ride.noShowAtMs),
    ...optionalTime("startTime", ride.startedAtMs),
  });
}

/** The whole ride again, ready to fold its next events. The car of a pending offer is not on the wire: nothing before the accept shows it. */
export function openRideFromWire(open: OpenRide): Ride {
  const wire = present(open.ride, "ride");
  return {
    rideId: rideId(wire.rideId),
    riderId: riderId(wire.riderId),
    quoteId: quoteId(open.quoteId),
    marketId: marketId(wire.marketId),
    homeRegion: regionId(wire.homeRegion),
    partition: open.partition,
    pickup: latLngFromWire(wire.pickup, "pickup"),
    dropoff: latLngFromWire(wire.dropoff, "dropoff"),
    seats: wire.seats,
    fare: moneyFromWire(wire.fare, "fare"),
    surge: wire.surgeMultiplier,
    tripMeters: open.tripMeters,
    tripSeconds: wire.dropoffEtaSeconds,
    status: rideStatusFromWire(wire.status),
    version: Number(wire.version),
    attempt: wire.attempt,
    blockedDrivers: open.blockedDriverIds.map(driverId),
    offer: liveOfferFromWire(open, wire),
    timer: timerFromWire(open),
    searchDeadlineMs: msFromTimestamp(open.searchDeadline) ?? 0,
    assignedAtMs: msFromTimestamp(open.assignTime),
    noShowAtMs: msFromTimestamp(open.noShowTime),
    startedAtMs: msFromTimestamp(open.startTime),
    endedAtMs: null,
    lastDriverId: null,
    lastVehicle: null,
    canceledBy: wire.canceledBy === 0 ? null : partyFromWire(wire.canceledBy),
    cancelReason: wire.canceledBy === 0 ? null : cancelReasonFromWire(wire.cancelReason),
    cancellationFee: null,
    createTimeMs: msFromTimestamp(wire.createTime) ?? 0,
    updateTimeMs: msFromTimestamp(wire.updateTime) ?? 0,
  };
}

function liveOfferFromWire(open: OpenRide, wire: WireRide): LiveOffer | null {
  if (wire.offerId === "") return null;
  return {
    offerId: offerId(wire.offerId),
    driverId: driverId(wire.driverId),
    expiresAtMs: msFromTimestamp(open.offerExpireTime) ?? 0,
    pickupEtaSeconds: wire.pickupEtaSeconds,
    vehicle: vehicleFromWire(wire.vehicle),
  };
}

function timerFromWire(open: OpenRide): RideTimer | null {
  const atMs = msFromTimestamp(open.timerTime);
  if (atMs === null) return null;
  switch (open.timerKind) {
    case "search":
    case "offer":
    case "arrival":
    case "no_show":
      return { kind: open.timerKind, atMs };
    default:
      throw new Error(`Cannot decode timer kind "${open.timerKind}" of ride "${open.ride?.rideId}": not in the contract`);
  }
}

/** A completed ride pays its fare, a canceled one its fee if there is one; anything else has no receipt. */
function receiptOf(ride: Ride): Receipt | null {
  const line =
    ride.status === "completed"
      ? { description: "Fare", amount: ride.fare }
      : ride.cancellationFee === null
        ? null
        : { description: "Cancellation fee", amount: ride.cancellationFee };
  if (line === null) return null;
  return create(ReceiptSchema, { lines: [{ description: line.description, amount: moneyToWire(line.amount) }], total: moneyToWire(line.amount) });
}

export function latLngToWire(point: LatLng): WireLatLng {
  return create(LatLngSchema, { latitude: point.latitude, longitude: point.longitude });
}

export function latLngFromWire(point: WireLatLng | undefined, field: string): LatLng {
  const { latitude, longitude } = present(point, field);
  return { latitude, longitude };
}

export function moneyToWire(amount: Money): WireMoney {
  return create(MoneySchema, { currencyCode: amount.currencyCode, amountMinor: BigInt(amount.amountMinor) });
}

export function moneyFromWire(amount: WireMoney | undefined, field: string): Money {
  const { currencyCode, amountMinor } = present(amount, field);
  return money(currencyCode, Number(amountMinor));
}

export function vehicleToWire(vehicle: Vehicle): RideVehicle {
  return create(RideVehicleSchema, { seats: vehicle.seats, plate: vehicle.plate, model: vehicle.model });
}

export function vehicleFromWire(vehicle: { readonly seats: number; readonly plate: string; readonly model: string } | undefined): Vehicle {
  return vehicle === undefined ? { seats: 0, plate: "", model: "" } : { seats: vehicle.seats, plate: vehicle.plate, model: vehicle.model };
}

export function present<T>(value: T | undefined, field: string): T {
  if (value === undefined) throw new Error(`Cannot decode the message: field "${field}" is missing`);
  return value;
}
