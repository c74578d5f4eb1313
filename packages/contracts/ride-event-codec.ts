/**
 * Ride events, domain <-> wire. Decoding throws on anything that is not in the contract: a consumer puts such a
 * record aside as a dead letter.
 */
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { driverId, marketId, offerId, proposalId, quoteId, regionId, type RideEvent, type RideEventBody, rideId, riderId, unreachable } from "@ridegrid/domain";
import {
  type Envelope as WireEnvelope,
  EnvelopeSchema,
  type RideEvent as WireRideEvent,
  RideEventSchema,
  type RideRequested as WireRideRequested,
} from "./gen/ridegrid/event/v1/events_pb.ts";
import { latLngFromWire, latLngToWire, moneyFromWire, moneyToWire, present, vehicleFromWire, vehicleToWire } from "./ride-codec.ts";
import { msFromTimestamp, timestampFromMs } from "./time-codec.ts";
import { cancelReasonFromWire, cancelReasonToWire, partyFromWire, partyToWire } from "./wire-enums.ts";

/** Where a message came from. `traceparent` is W3C trace context, empty when untraced. */
export type Envelope = {
  readonly eventId: string;
  readonly occurredAtMs: number;
  readonly homeRegion: string;
  readonly marketId: string;
  readonly partition: number;
  readonly correlationId: string;
  readonly causationId: string;
  readonly traceparent: string;
};

export function encodeRideEvent(event: RideEvent, envelope: Envelope): Uint8Array {
  return toBinary(
    RideEventSchema,
    create(RideEventSchema, {
      envelope: envelopeToWire(envelope),
      rideId: event.rideId,
      rideVersion: BigInt(event.version),
      driverId: event.driverId ?? "",
      driverVersion: BigInt(event.driverVersion ?? 0),
      event: bodyToWire(event.body),
    }),
  );
}

export function decodeRideEvent(bytes: Uint8Array): { readonly event: RideEvent; readonly envelope: Envelope } {
  const wire = fromBinary(RideEventSchema, bytes);
  const envelope = envelopeFromWire(wire.envelope);
  const event: RideEvent = {
    rideId: rideId(wire.rideId),
    version: Number(wire.rideVersion),
    driverId: wire.driverId === "" ? null : driverId(wire.driverId),
    driverVersion: wire.driverVersion === 0n ? null : Number(wire.driverVersion),
    occurredAtMs: envelope.occurredAtMs,
    body: bodyFromWire(wire, envelope),
  };
  return { event, envelope };
}

export function envelopeToWire(envelope: Envelope): WireEnvelope {
  const { occurredAtMs, ...rest } = envelope;
  return create(EnvelopeSchema, { ...rest, occurTime: timestampFromMs(occurredAtMs) });
}

export function envelopeFromWire(wire: WireEnvelope | undefined): Envelope {
  const { eventId, occurTime, homeRegion, marketId: market, partition, correlationId, causationId, traceparent } = present(wire, "envelope");
  const occurredAtMs = present(msFromTimestamp(occurTime) ?? undefined, "envelope.occur_time");
  return { eventId, occurredAtMs, homeRegion, marketId: market, partition, correlationId, causationId, traceparent };
}

type BodyInit = NonNullable<MessageInitShape<typeof RideEventSchema>["event"]>;

function bodyToWire(body: RideEventBody): BodyInit {
  switch (body.type) {
    case "RideRequested": {
      const { riderId: rider, quoteId: quote, seats, tripSeconds, tripMeters } = body;
      const places = { pickup: latLngToWire(body.pickup), dropoff: latLngToWire(body.dropoff) };
      const value = {
        riderId: rider,
        quoteId: quote,
        seats,
        tripSeconds,
        tripMeters,
        ...places,
        fare: moneyToWire(body.fare),
        surgeMultiplier: body.surge,
        searchDeadline: timestampFromMs(body.searchDeadlineMs),
      };
      return { case: "rideRequested", value };
    }
    case "OfferSent": {
      const { offerId: offer, proposalId: proposal, pickupEtaSeconds } = body;
      const value = {
        offerId: offer,
        proposalId: proposal,
        pickupEtaSeconds,
        leaseEpoch: BigInt(body.leaseEpoch),
        expireTime: timestampFromMs(body.expiresAtMs),
        vehicle: vehicleToWire(body.vehicle),
      };
      return { case: "offerSent", value };
    }
    case "OfferAccepted":
      return { case: "offerAccepted", value: { offerId: body.offerId, arrivalDeadline: timestampFromMs(body.arrivalDeadlineMs) } };
    case "OfferDeclined":
      return { case: "offerDeclined", value: { offerId: body.offerId, wentOffline: body.wentOffline } };
    case "OfferExpired":
      return { case: "offerExpired", value: { offerId: body.offerId } };
    case "DriverArrived":
      return { case: "driverArrived", value: { noShowTime: timestampFromMs(body.noShowAtMs), noShowDeadline: timestampFromMs(body.noShowDeadlineMs) } };
    case "RideStarted":
      return { case: "rideStarted", value: {} };
    case "RideCompleted":
      return { case: "rideCompleted", value: { completedBy: partyToWire(body.by), reason: body.note } };
    case "AssignmentReleased": {
      const value = {
        offerId: body.offerId,
        releasedBy: partyToWire(body.by),
        reason: cancelReasonToWire(body.reason),
        searchDeadline: timestampFromMs(body.searchDeadlineMs),
      };
      return { case: "assignmentReleased", value };
    }
    case "RideCanceled": {
      const value = {
        canceledBy: partyToWire(body.by),
        reason: cancelReasonToWire(body.reason),
        offerId: body.offerId ?? "",
        ...(body.fee === null ? {} : { fee: moneyToWire(body.fee) }),
      };
      return { case: "rideCanceled", value };
    }
    case "NoDriversFound":
      return { case: "noDriversFound", value: {} };
    default:
      return unreachable(body);
  }
}

function bodyFromWire(wire: WireRideEvent, envelope: Envelope): RideEventBody {
  const { event } = wire;
  switch (event.case) {
    case "rideRequested":
      return rideRequestedFromWire(event.value, envelope);
    case "offerSent": {
      const { value } = event;
      const expiresAtMs = time(value.expireTime, "offer_sent.expire_time");
      const ids = { offerId: offerId(value.offerId), proposalId: proposalId(value.proposalId), leaseEpoch: Number(value.leaseEpoch) };
      return { type: "OfferSent", ...ids, pickupEtaSeconds: value.pickupEtaSeconds, expiresAtMs, vehicle: vehicleFromWire(value.vehicle) };
    }
    case "offerAccepted":
      return {
        type: "OfferAccepted",
        offerId: offerId(event.value.offerId),
        arrivalDeadlineMs: time(event.value.arrivalDeadline, "offer_accepted.arrival_deadline"),
      };
    case "offerDeclined":
      return { type: "OfferDeclined", offerId: offerId(event.value.offerId), wentOffline: event.value.wentOffline };
    case "offerExpired":
      return { type: "OfferExpired", offerId: offerId(event.value.offerId) };
    case "driverArrived": {
      const { noShowTime, noShowDeadline } = event.value;
      return {
        type: "DriverArrived",
        noShowAtMs: time(noShowTime, "driver_arrived.no_show_time"),
        noShowDeadlineMs: time(noShowDeadline, "driver_arrived.no_show_deadline"),
      };
    }
    case "rideStarted":
      return { type: "RideStarted" };
    case "rideCompleted":
      return { type: "RideCompleted", by: partyFromWire(event.value.completedBy), note: event.value.reason };
    case "assignmentReleased": {
      const { value } = event;
      const by = partyFromWire(value.releasedBy) === "driver" ? "driver" : "system";
      const searchDeadlineMs = time(value.searchDeadline, "assignment_released.search_deadline");
      return { type: "AssignmentReleased", offerId: offerId(value.offerId), by, reason: cancelReasonFromWire(value.reason), searchDeadlineMs };
    }
    case "rideCanceled": {
      const { canceledBy, reason, fee, offerId: offer } = event.value;
      const money = fee === undefined ? null : moneyFromWire(fee, "ride_canceled.fee");
      return {
        type: "RideCanceled",
        by: partyFromWire(canceledBy),
        reason: cancelReasonFromWire(reason),
        fee: money,
        offerId: offer === "" ? null : offerId(offer),
      };
    }
    case "noDriversFound":
      return { type: "NoDriversFound" };
    case undefined:
      throw new Error(`Cannot decode an event of ride "${wire.rideId}": its type is not in the contract`);
    default:
      return unreachable(event);
  }
}

function rideRequestedFromWire(value: WireRideRequested, envelope: Envelope): RideEventBody {
  return {
    type: "RideRequested",
    riderId: riderId(value.riderId),
    quoteId: quoteId(value.quoteId),
    marketId: marketId(envelope.marketId),
    homeRegion: regionId(envelope.homeRegion),
    partition: envelope.partition,
    pickup: latLngFromWire(value.pickup, "ride_requested.pickup"),
    dropoff: latLngFromWire(value.dropoff, "ride_requested.dropoff"),
    seats: value.seats,
    fare: moneyFromWire(value.fare, "ride_requested.fare"),
    surge: value.surgeMultiplier,
    tripMeters: value.tripMeters,
    tripSeconds: value.tripSeconds,
    searchDeadlineMs: time(value.searchDeadline, "ride_requested.search_deadline"),
  };
}

function time(timestamp: Parameters<typeof msFromTimestamp>[0], field: string): number {
  return present(msFromTimestamp(timestamp) ?? undefined, field);
}
