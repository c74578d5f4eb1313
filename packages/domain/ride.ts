/**
 * The ride: one rider's request, from asking to paying, as the fold of its events.
 *
 * `evolveRide` is the only place that says what an event does to a ride; the coordinator's rows and every read
 * model are this fold. It knows no clock: each event carries the deadlines it set.
 */
import type { LatLng } from "./geo.ts";
import type { DriverId, MarketId, OfferId, ProposalId, QuoteId, RegionId, RideId, RiderId } from "./ids.ts";
import type { Money } from "./money.ts";
import { unreachable } from "./unreachable.ts";

export type RideStatus = "requested" | "offered" | "assigned" | "arrived" | "in_progress" | "completed" | "canceled" | "no_drivers";
export type OfferStatus = "pending" | "accepted" | "declined" | "expired" | "withdrawn" | "released" | "finished";
export type Party = "rider" | "driver" | "operator" | "system";
export type CancelReason =
  "unspecified" | "rider_changed_mind" | "wait_too_long" | "no_show" | "vehicle_problem" | "safety" | "other" | "arrival_timeout" | "driver_silent";

export type Vehicle = { readonly seats: number; readonly plate: string; readonly model: string };

/** The one live offer of a ride: pending while the ride is offered, accepted from then on. */
export type LiveOffer = {
  readonly offerId: OfferId;
  readonly driverId: DriverId;
  readonly expiresAtMs: number;
  readonly pickupEtaSeconds: number;
  readonly vehicle: Vehicle;
};

/** What the database's clock fires next. A ride in progress has none: only people end it. */
export type RideTimer = { readonly kind: "search" | "offer" | "arrival" | "no_show"; readonly atMs: number };

export type Ride = {
  readonly rideId: RideId;
  readonly riderId: RiderId;
  readonly quoteId: QuoteId;
  readonly marketId: MarketId;
  readonly homeRegion: RegionId;
  readonly partition: number;
  readonly pickup: LatLng;
  readonly dropoff: LatLng;
  readonly seats: number;
  readonly fare: Money;
  readonly surge: number;
  readonly tripMeters: number;
  readonly tripSeconds: number;
  readonly status: RideStatus;
  readonly version: number;
  readonly attempt: number;
  /** Drivers that declined, let expire or lost this ride: never proposed for it again. In order of blocking. */
  readonly blockedDrivers: readonly DriverId[];
  readonly offer: LiveOffer | null;
  readonly timer: RideTimer | null;
  readonly searchDeadlineMs: number;
  readonly assignedAtMs: number | null;
  /** From then on the driver may cancel as a no-show; set while arrived. */
  readonly noShowAtMs: number | null;
  readonly startedAtMs: number | null;
  readonly endedAtMs: number | null;
  /** The driver of a ride that has ended with one; `offer` is null by then. */
  readonly lastDriverId: DriverId | null;
  readonly lastVehicle: Vehicle | null;
  readonly canceledBy: Party | null;
  readonly cancelReason: CancelReason | null;
  readonly cancellationFee: Money | null;
  readonly createTimeMs: number;
  readonly updateTimeMs: number;
};

export type RideEventBody =
  | {
      readonly type: "RideRequested";
      readonly riderId: RiderId;
      readonly quoteId: QuoteId;
      readonly marketId: MarketId;
      readonly homeRegion: RegionId;
      readonly partition: number;
      readonly pickup: LatLng;
      readonly dropoff: LatLng;
      readonly seats: number;
      readonly fare: Money;
      readonly surge: number;
      readonly tripMeters: number;
      readonly tripSeconds: number;
      readonly searchDeadlineMs: number;
    }
  | {
      readonly type: "OfferSent";
      readonly offerId: OfferId;
      readonly proposalId: ProposalId;
      readonly leaseEpoch: number;
      readonly pickupEtaSeconds: number;
      readonly expiresAtMs: number;
      readonly vehicle: Vehicle;
    }
  | { readonly type: "OfferAccepted"; readonly offerId: OfferId; readonly arrivalDeadlineMs: number }
  | { readonly type: "OfferDeclined"; readonly offerId: OfferId; readonly wentOffline: boolean }
  | { readonly type: "OfferExpired"; readonly offerId: OfferId }
  | { readonly type: "DriverArrived"; readonly noShowAtMs: number; readonly noShowDeadlineMs: number }
  | { readonly type: "RideStarted" }
  | { readonly type: "RideCompleted"; readonly by: Party; readonly note: string }
  | {
      readonly type: "AssignmentReleased";
      readonly offerId: OfferId;
      readonly by: "driver" | "system";
      readonly reason: CancelReason;
      readonly searchDeadlineMs: number;
    }
  | {
      readonly type: "RideCanceled";
      readonly by: Party;
      readonly reason: CancelReason;
      readonly fee: Money | null;
      readonly offerId: OfferId | null;
    }
  | { readonly type: "NoDriversFound" };

/** `driverId` and `driverVersion` are both set, or both null: an event that concerns a driver moves that driver's version. */
export type RideEvent = {
  readonly rideId: RideId;
  readonly version: number;
  readonly driverId: DriverId | null;
  readonly driverVersion: number | null;
  readonly occurredAtMs: number;
  readonly body: RideEventBody;
};

const openStatuses: ReadonlySet<RideStatus> = new Set(["requested", "offered", "assigned", "arrived", "in_progress"]);

export function isOpen(status: RideStatus): boolean {
  return openStatuses.has(status);
}

/** The driver asked, assigned, or last on the ride; null before the first offer and between offers. */
export function rideDriver(ride: Ride): DriverId | null {
  return ride.offer?.driverId ?? ride.lastDriverId;
}

/**
 * Applies one event. `ride` is null for RideRequested only.
 *
 * @throws when the event's version is not the ride's next: a caller that skips or repeats a version is broken.
 */
export function evolveRide(ride: Ride | null, event: RideEvent): Ride {
  const expected = (ride?.version ?? 0) + 1;
  if (event.version !== expected) {
    throw new Error(`Cannot apply ${event.body.type} version ${event.version} to ride "${event.rideId}": expected version ${expected}`);
  }
  if (event.body.type === "RideRequested") return requested(event, event.body);
  if (ride === null) throw new Error(`Cannot apply ${event.body.type} to ride "${event.rideId}": it was never requested`);
  return { ...ride, ...changes(ride, event, event.body), version: event.version, updateTimeMs: event.occurredAtMs };
}

function requested(event: RideEvent, body: RideEventBody & { type: "RideRequested" }): Ride {
  const { type: _, ...facts } = body;
  return {
    ...facts,
    rideId: event.rideId,
    status: "requested",
    version: event.version,
    attempt: 1,
    blockedDrivers: [],
    offer: null,
    timer: { kind: "search", atMs: body.searchDeadlineMs },
    assignedAtMs: null,
    noShowAtMs: null,
    startedAtMs: null,
    endedAtMs: null,
    lastDriverId: null,
    lastVehicle: null,
    canceledBy: null,
    cancelReason: null,
    cancellationFee: null,
    createTimeMs: event.occurredAtMs,
    updateTimeMs: event.occurredAtMs,
  };
}

function changes(ride: Ride, event: RideEvent, body: Exclude<RideEventBody, { type: "RideRequested" }>): Partial<Ride> {
  switch (body.type) {
    case "OfferSent": {
      const { offerId, expiresAtMs, pickupEtaSeconds, vehicle } = body;
      const driverId = required(event.driverId, "driverId", event);
      return { status: "offered", offer: { offerId, driverId, expiresAtMs, pickupEtaSeconds, vehicle }, timer: { kind: "offer", atMs: expiresAtMs } };
    }
    case "OfferAccepted":
      return { status: "assigned", assignedAtMs: event.occurredAtMs, timer: { kind: "arrival", atMs: body.arrivalDeadlineMs } };
    case "OfferDeclined":
    case "OfferExpired":
      return searchAgain(ride, event, ride.searchDeadlineMs);
    case "AssignmentReleased":
      return searchAgain(ride, event, body.searchDeadlineMs);
    case "DriverArrived":
      return { status: "arrived", noShowAtMs: body.noShowAtMs, timer: { kind: "no_show", atMs: body.noShowDeadlineMs } };
    case "RideStarted":
      return { status: "in_progress", startedAtMs: event.occurredAtMs, noShowAtMs: null, timer: null };
    case "RideCompleted":
      return ended(ride, event, "completed");
    case "RideCanceled":
      return { ...ended(ride, event, "canceled"), canceledBy: body.by, cancelReason: body.reason, cancellationFee: body.fee };
    case "NoDriversFound":
      return ended(ride, event, "no_drivers");
    default:
      return unreachable(body);
  }
}

function searchAgain(ride: Ride, event: RideEvent, searchDeadlineMs: number): Partial<Ride> {
  const driverId = required(event.driverId, "driverId", event);
  return {
    status: "requested",
    attempt: ride.attempt + 1,
    blockedDrivers: ride.blockedDrivers.includes(driverId) ? ride.blockedDrivers : [...ride.blockedDrivers, driverId],
    offer: null,
    assignedAtMs: null,
    noShowAtMs: null,
    searchDeadlineMs,
    timer: { kind: "search", atMs: searchDeadlineMs },
  };
}

function ended(ride: Ride, event: RideEvent, status: RideStatus): Partial<Ride> {
  // A pending offer that is withdrawn made nobody the ride's driver.
  const driven = ride.status !== "offered" ? ride.offer : null;
  return {
    status,
    offer: null,
    timer: null,
    noShowAtMs: null,
    endedAtMs: event.occurredAtMs,
    lastDriverId: driven?.driverId ?? null,
    lastVehicle: driven?.vehicle ?? null,
  };
}

function required<T>(value: T | null, field: string, event: RideEvent): T {
  if (value === null) throw new Error(`Cannot apply ${event.body.type} to ride "${event.rideId}": ${field} is missing`);
  return value;
}
