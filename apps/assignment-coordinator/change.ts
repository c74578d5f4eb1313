/**
 * What one decision changed, and what it says to the world: the ride's event to `ride-events.v1`, and the driver's
 * new state to `driver-events.v1` whenever a driver changed.
 *
 * Pure. Every path that writes (single commands, pages of proposals, the sweeper) publishes through here.
 */
import { encodeDriverEvent, encodeRideEvent, type ConcernedOffer, type Envelope, type TopicName } from "@ridegrid/contracts";
import type { Driver, OfferId, OfferStatus, Ride, RideEvent, Shift, ShiftEvent } from "@ridegrid/domain";
import { unreachable } from "@ridegrid/domain";
import type { OutboxRow } from "@ridegrid/eventlog";

export type RideChange = {
  readonly kind: "ride";
  readonly before: Ride | null;
  readonly event: RideEvent;
  readonly ride: Ride;
  readonly driver: Driver | null;
};
export type ShiftChange = { readonly kind: "shift"; readonly before: Driver; readonly event: ShiftEvent; readonly driver: Driver };
export type Change = RideChange | ShiftChange;

/** What all effects of one act share. `correlationId` is the request id or the proposal id; empty for the clock's own acts. */
export type Cause = { readonly correlationId: string; readonly causationId: string; readonly traceparent: string };

export const noCause: Cause = { correlationId: "", causationId: "", traceparent: "" };

export function outboxRowsOf(change: Change, cause: Cause, nextId: () => string): readonly OutboxRow[] {
  switch (change.kind) {
    case "ride":
      return change.driver === null
        ? [rideRow(change, cause, nextId())]
        : [rideRow(change, cause, nextId()), driverRowOfRide(change, change.driver, cause, nextId())];
    case "shift":
      return shiftRows(change, cause, nextId);
    default:
      return unreachable(change);
  }
}

/** How the offer that the event concerns stands after it; null when it concerns none. */
export function offerAfter(before: Ride | null, event: RideEvent): { readonly offerId: OfferId; readonly status: OfferStatus } | null {
  const offerId = before?.offer?.offerId;
  const { body } = event;
  switch (body.type) {
    case "OfferSent":
      return { offerId: body.offerId, status: "pending" };
    case "OfferAccepted":
      return { offerId: body.offerId, status: "accepted" };
    case "OfferDeclined":
      return { offerId: body.offerId, status: "declined" };
    case "OfferExpired":
      return { offerId: body.offerId, status: "expired" };
    case "AssignmentReleased":
      return { offerId: body.offerId, status: "released" };
    case "DriverArrived":
    case "RideStarted":
      return offerId === undefined ? null : { offerId, status: "accepted" };
    case "RideCompleted":
      return offerId === undefined ? null : { offerId, status: "finished" };
    case "RideCanceled":
      return body.offerId === null ? null : { offerId: body.offerId, status: before?.status === "offered" ? "withdrawn" : "finished" };
    case "RideRequested":
    case "NoDriversFound":
      return null;
    default:
      return unreachable(body);
  }
}

/** Each home region that the changes told something, once. */
export function homeRegionsOf(changes: readonly Change[]): ReadonlySet<string> {
  return new Set(
    changes.flatMap((change) => {
      if (change.kind === "ride") return [change.ride.homeRegion];
      return [change.before.shift, change.driver.shift].flatMap((shift) => (shift === null ? [] : [shift.homeRegion]));
    }),
  );
}

type Place = { readonly homeRegion: string; readonly marketId: string; readonly partition: number };
type Message = { readonly topic: TopicName; readonly key: string; readonly type: string };

function rideRow({ ride, event }: RideChange, cause: Cause, eventId: string): OutboxRow {
  const message: Message = { topic: "ride-events.v1", key: event.rideId, type: event.body.type };
  const envelope = envelopeOf(ride, event.occurredAtMs, cause, eventId);
  return outboxRow(message, envelope, encodeRideEvent(event, envelope));
}

function driverRowOfRide({ before, ride, event }: RideChange, driver: Driver, cause: Cause, eventId: string): OutboxRow {
  const message: Message = { topic: "driver-events.v1", key: driver.driverId, type: event.body.type };
  const envelope = envelopeOf(ride, event.occurredAtMs, cause, eventId);
  return outboxRow(message, envelope, encodeDriverEvent({ driver, cause: event.body.type, ride, offer: concernedOffer(before, ride, event) }, envelope));
}

function concernedOffer(before: Ride | null, ride: Ride, event: RideEvent): ConcernedOffer | null {
  const offer = offerAfter(before, event);
  return offer === null ? null : { ...offer, expiresAtMs: offer.status === "pending" ? (ride.offer?.expiresAtMs ?? null) : null };
}

/** A shift that moves to another market is told to the old one too, or its matching would go on proposing the driver. */
function shiftRows({ before, driver, event }: ShiftChange, cause: Cause, nextId: () => string): readonly OutboxRow[] {
  const message: Message = { topic: "driver-events.v1", key: driver.driverId, type: event.type };
  const homes = homesOf(before.status === "offline" ? null : before.shift, driver.shift);
  return homes.map((home) => {
    const envelope = envelopeOf(home, event.occurredAtMs, cause, nextId());
    return outboxRow(message, envelope, encodeDriverEvent({ driver, cause: event.type, ride: null, offer: null }, envelope));
  });
}

function homesOf(before: Shift | null, after: Shift | null): readonly Shift[] {
  if (after === null) return before === null ? [] : [before];
  const moved = before !== null && (before.homeRegion !== after.homeRegion || before.partition !== after.partition);
  return moved ? [before, after] : [after];
}

function envelopeOf(place: Place, occurredAtMs: number, cause: Cause, eventId: string): Envelope {
  const { homeRegion, marketId, partition } = place;
  return { eventId, occurredAtMs, homeRegion, marketId, partition, ...cause };
}

function outboxRow({ topic, key, type }: Message, envelope: Envelope, payload: Uint8Array): OutboxRow {
  const { eventId, homeRegion, partition, traceparent } = envelope;
  const headers = { "event-id": eventId, type, ...(traceparent === "" ? {} : { traceparent }) };
  return { homeRegion, topic, partition, key, eventId, payload, headers };
}
