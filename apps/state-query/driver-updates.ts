/**
 * What a driver's stream says of one version, and of a driver as a whole, from the event that made the version: it
 * carries the driver, the ride and the offer. Clients are told durations, so the time is passed in.
 */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { decodeDriverEvent, driverToWire, msFromTimestamp } from "@ridegrid/contracts";
import { OfferWithdrawnSchema, type WatchOffersResponseSchema } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { DriverStatus } from "@ridegrid/contracts/gen/type/v1/driver_pb";
import { OfferSchema, OfferStatus } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import { driverId as brandDriverId, newDriver } from "@ridegrid/domain";

export type DriverUpdate = NonNullable<MessageInitShape<typeof WatchOffersResponseSchema>["update"]>;
type WireDriverEvent = ReturnType<typeof decodeDriverEvent>;

/** One update for one version: an offer, an offer that ended without an accept, the ride, or else the driver. */
export function updateOfVersion(payload: Uint8Array, nowMs: number): DriverUpdate {
  const event = decodeDriverEvent(payload);
  switch (event.offerStatus) {
    case OfferStatus.PENDING:
      return offerUpdate(event, nowMs) ?? { case: "driver", value: event.driver };
    case OfferStatus.DECLINED:
    case OfferStatus.EXPIRED:
    case OfferStatus.WITHDRAWN: {
      const value = create(OfferWithdrawnSchema, { offerId: event.offerId, rideId: event.ride?.rideId ?? "", status: event.offerStatus });
      return { case: "offerWithdrawn", value };
    }
    default:
      return event.ride === undefined ? { case: "driver", value: event.driver } : { case: "ride", value: event.ride };
  }
}

/** The driver as it is: itself, then its pending offer, then its open ride. */
export function snapshotOf(payload: Uint8Array, nowMs: number): readonly DriverUpdate[] {
  const event = decodeDriverEvent(payload);
  const { status } = event.driver;
  const updates: DriverUpdate[] = [{ case: "driver", value: event.driver }];
  const offer = event.offerStatus === OfferStatus.PENDING ? offerUpdate(event, nowMs) : null;
  if (offer !== null) updates.push(offer);
  if (event.ride !== undefined && (status === DriverStatus.EN_ROUTE || status === DriverStatus.ON_TRIP)) updates.push({ case: "ride", value: event.ride });
  return updates;
}

/** A driver never seen before. */
export function unknownDriverUpdate(driverId: string): DriverUpdate {
  return { case: "driver", value: driverToWire(newDriver(brandDriverId(driverId)), null) };
}

function offerUpdate({ ride, offerId, offerExpireTime }: WireDriverEvent, nowMs: number): DriverUpdate | null {
  if (ride?.pickup === undefined || ride.dropoff === undefined || ride.fare === undefined) return null;
  const { rideId, pickup, dropoff, fare, pickupEtaSeconds } = ride;
  // The field is an int32: an absurd deadline must not end every stream that meets it.
  const expiresInMs = Math.min(Math.max(0, Math.round((msFromTimestamp(offerExpireTime) ?? nowMs) - nowMs)), 0x7fff_ffff);
  return { case: "offer", value: create(OfferSchema, { offerId, rideId, pickup, dropoff, fare, pickupEtaSeconds, expiresInMs }) };
}
