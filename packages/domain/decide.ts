/**
 * Every rule of a ride's life: given a ride, the driver it concerns and a command, one event or a refusal.
 *
 * Pure. Time arrives in the command, taken from the database's clock after the rows are locked. Who may call what is
 * checked here too: a command names its actor, and another person's ride looks like no ride at all.
 */
import { cancellationFee, noShowFee } from "./cancellation-fee.ts";
import { type Driver, evolveDriver, evolveShift, type Shift, type ShiftEvent } from "./driver.ts";
import type { FareQuote } from "./fare-quote.ts";
import type { DriverId, OfferId, ProposalId, RideId, RiderId } from "./ids.ts";
import type { DispatchPolicy, Tariff } from "./market.ts";
import {
  type CancelReason,
  evolveRide,
  isOpen,
  type LiveOffer,
  type OfferStatus,
  type Ride,
  type RideEvent,
  type RideEventBody,
  type RideStatus,
} from "./ride.ts";
import { unreachable } from "./unreachable.ts";

/** `offerStatus`: how the store remembers an offer that the ride has forgotten, so that a late answer learns why. */
export type RideCommand =
  | {
      readonly type: "RequestRide";
      readonly rideId: RideId;
      readonly riderId: RiderId;
      readonly quote: FareQuote;
      readonly quoteUsed: boolean;
      readonly riderHasOpenRide: boolean;
    }
  | {
      readonly type: "SendOffer";
      readonly offerId: OfferId;
      readonly proposalId: ProposalId;
      readonly driverId: DriverId;
      readonly rideVersion: number;
      readonly leaseEpoch: number;
      readonly currentEpoch: number;
      readonly pickupEtaSeconds: number;
    }
  | { readonly type: "AcceptOffer"; readonly driverId: DriverId; readonly offerId: OfferId; readonly offerStatus?: OfferStatus | null }
  | {
      readonly type: "DeclineOffer";
      readonly driverId: DriverId;
      readonly offerId: OfferId;
      readonly offerStatus?: OfferStatus | null;
      readonly goingOffline: boolean;
    }
  | { readonly type: "ArriveAtPickup"; readonly driverId: DriverId; readonly metersFromPickup: number | null }
  | { readonly type: "StartRide"; readonly driverId: DriverId; readonly pinMatches: boolean; readonly pinFailures: number }
  | {
      readonly type: "CompleteRide";
      readonly by: { readonly party: "driver"; readonly driverId: DriverId } | { readonly party: "operator"; readonly note: string };
    }
  | { readonly type: "ReleaseRide"; readonly driverId: DriverId; readonly reason: CancelReason }
  | {
      readonly type: "ReleaseSilentDriver";
      readonly driverId: DriverId;
      readonly rideVersion: number;
      readonly leaseEpoch: number;
      readonly currentEpoch: number;
    }
  | {
      readonly type: "CancelRide";
      readonly by: { readonly party: "rider"; readonly riderId: RiderId } | { readonly party: "operator" };
      readonly reason: CancelReason;
    }
  | { readonly type: "FireTimer" };

export type RefusalReason =
  | "ride_not_found"
  | "offer_not_found"
  | "quote_not_found"
  | "quote_expired"
  | "quote_used"
  | "ride_already_open"
  | "offer_expired"
  | "offer_withdrawn"
  | "ride_state"
  | "driver_offline"
  | "driver_on_ride"
  | "outside_service_area"
  | "too_far"
  | "wrong_pin"
  | "pin_locked"
  | "region_draining"
  /** Never shown to a client: a proposal or a timer that came too late. */
  | "stale";

export type Refusal = { readonly kind: "refused"; readonly reason: RefusalReason; readonly message: string; readonly status?: RideStatus };
export type RideDecision = { readonly kind: "accepted"; readonly event: RideEvent; readonly ride: Ride; readonly driver: Driver | null } | Refusal;
export type ShiftDecision = { readonly kind: "accepted"; readonly event: ShiftEvent; readonly driver: Driver } | Refusal;

export type DecisionContext = { readonly nowMs: number; readonly policy: DispatchPolicy; readonly tariff: Tariff };

/** `driver` is the driver that the command or the ride's live offer names, locked after the ride; null when there is none. */
export function decideRide(ride: Ride | null, driver: Driver | null, command: RideCommand, context: DecisionContext): RideDecision {
  if (command.type === "RequestRide") return requestRide(command, context);
  if (ride === null) return command.type === "AcceptOffer" || command.type === "DeclineOffer" ? offerNotFound(command.offerId) : rideNotFound();
  switch (command.type) {
    case "SendOffer":
      return sendOffer(ride, driver, command, context);
    case "AcceptOffer":
      return acceptOffer(ride, driver, command, context);
    case "DeclineOffer":
      return declineOffer(ride, driver, command, context);
    case "ArriveAtPickup":
      return arriveAtPickup(ride, driver, command, context);
    case "StartRide":
      return startRide(ride, driver, command, context);
    case "CompleteRide":
      return completeRide(ride, driver, command, context);
    case "ReleaseRide":
      return releaseRide(ride, driver, command, context);
    case "ReleaseSilentDriver":
      return releaseSilentDriver(ride, driver, command, context);
    case "CancelRide":
      return cancelRide(ride, driver, command, context);
    case "FireTimer":
      return fireTimer(ride, driver, context);
    default:
      return unreachable(command);
  }
}

/** Opens a shift. `GoOnline` while available moves the shift to where the driver is now; during an offer or a ride it is refused. */
export function decideGoOnline(driver: Driver, shift: Shift, context: { readonly nowMs: number }): ShiftDecision {
  if (driver.status !== "offline" && driver.status !== "available") return driverOnRide(driver);
  const event: ShiftEvent = { type: "ShiftStarted", driverId: driver.driverId, version: driver.version + 1, occurredAtMs: context.nowMs, shift };
  return { kind: "accepted", event, driver: evolveShift(driver, event) };
}

/** Ends a shift of an available driver. With a pending offer the caller declines it with `goingOffline` instead. */
export function decideGoOffline(driver: Driver, context: { readonly nowMs: number }): ShiftDecision {
  if (driver.status === "offline") return refused("driver_offline", `Driver "${driver.driverId}" is offline already`);
  if (driver.status !== "available") return driverOnRide(driver);
  const event: ShiftEvent = { type: "ShiftEnded", driverId: driver.driverId, version: driver.version + 1, occurredAtMs: context.nowMs };
  return { kind: "accepted", event, driver: evolveShift(driver, event) };
}

type Command<Type extends RideCommand["type"]> = Extract<RideCommand, { type: Type }>;

function requestRide(command: Command<"RequestRide">, { nowMs, policy }: DecisionContext): RideDecision {
  const { quote } = command;
  if (quote.riderId !== command.riderId) return refused("quote_not_found", `Quote "${quote.quoteId}" was not found`);
  if (command.quoteUsed) return refused("quote_used", `Quote "${quote.quoteId}" was used already`);
  if (nowMs >= quote.expiresAtMs) return refused("quote_expired", `Quote "${quote.quoteId}" expired ${nowMs - quote.expiresAtMs} ms ago`);
  if (command.riderHasOpenRide) return refused("ride_already_open", `Rider "${command.riderId}" has an open ride already`);
  const { quoteId, riderId, marketId, homeRegion, partition, pickup, dropoff, seats, fare, surge, tripMeters, tripSeconds } = quote;
  const facts = { quoteId, riderId, marketId, homeRegion, partition, pickup, dropoff, seats, fare, surge, tripMeters, tripSeconds };
  const body: RideEventBody = { type: "RideRequested", ...facts, searchDeadlineMs: nowMs + policy.searchMs };
  const event: RideEvent = { rideId: command.rideId, version: 1, driverId: null, driverVersion: null, occurredAtMs: nowMs, body };
  return { kind: "accepted", event, ride: evolveRide(null, event), driver: null };
}

function sendOffer(ride: Ride, driver: Driver | null, command: Command<"SendOffer">, context: DecisionContext): RideDecision {
  if (ride.status !== "requested" || ride.version !== command.rideVersion) return stale(ride, "the proposal is for an older version");
  if (command.leaseEpoch !== command.currentEpoch) return stale(ride, "the proposal's lease epoch is over");
  if (ride.blockedDrivers.includes(command.driverId)) return stale(ride, "the driver is blocked for it");
  if (driver?.status !== "available" || driver.shift?.marketId !== ride.marketId) return stale(ride, "the driver is not available in its market");
  if (driver.shift.vehicle.seats < ride.seats) return stale(ride, "the driver's car has too few seats");
  const { offerId, proposalId, leaseEpoch, pickupEtaSeconds } = command;
  const expiresAtMs = context.nowMs + context.policy.offerTtlMs;
  const { vehicle } = driver.shift;
  return accepted(ride, driver, { type: "OfferSent", offerId, proposalId, leaseEpoch, pickupEtaSeconds, expiresAtMs, vehicle }, context);
}

function acceptOffer(ride: Ride, driver: Driver | null, command: Command<"AcceptOffer">, context: DecisionContext): RideDecision {
  const offer = pendingOffer(ride, command, context);
  if ("kind" in offer) return offer;
  const { arrivalFactor, arrivalSlackMs, arrivalMaxMs } = context.policy;
  const boundMs = Math.min(arrivalFactor * offer.pickupEtaSeconds * 1_000 + arrivalSlackMs, arrivalMaxMs);
  return accepted(ride, driver, { type: "OfferAccepted", offerId: offer.offerId, arrivalDeadlineMs: context.nowMs + boundMs }, context);
}

function declineOffer(ride: Ride, driver: Driver | null, command: Command<"DeclineOffer">, context: DecisionContext): RideDecision {
  const offer = pendingOffer(ride, command, context);
  if ("kind" in offer) return offer;
  return accepted(ride, driver, { type: "OfferDeclined", offerId: offer.offerId, wentOffline: command.goingOffline }, context);
}

/** The pending offer that the command names, or why it cannot be answered. The deadline is exclusive. */
function pendingOffer(ride: Ride, command: Command<"AcceptOffer" | "DeclineOffer">, { nowMs }: DecisionContext): LiveOffer | Refusal {
  const { offer } = ride;
  if (offer === null || offer.offerId !== command.offerId) {
    const reason = command.offerStatus === "expired" ? "offer_expired" : "offer_withdrawn";
    return refused(reason, `Offer "${command.offerId}" is over: it is ${command.offerStatus ?? "forgotten"}`, ride.status);
  }
  if (offer.driverId !== command.driverId) return offerNotFound(command.offerId);
  if (ride.status !== "offered") return refused("ride_state", `Offer "${command.offerId}" was answered already: the ride is ${ride.status}`, ride.status);
  // The deadline is exclusive: at exactly `expiresAtMs` the sweeper may already have expired it.
  if (nowMs >= offer.expiresAtMs) return refused("offer_expired", `Offer "${command.offerId}" expired ${nowMs - offer.expiresAtMs} ms ago`, ride.status);
  return offer;
}

function arriveAtPickup(ride: Ride, driver: Driver | null, command: Command<"ArriveAtPickup">, context: DecisionContext): RideDecision {
  const wrong = notDriversRide(ride, command.driverId) ?? notInStatus(ride, ["assigned"], "Cannot arrive at the pickup");
  if (wrong) return wrong;
  const { arrivalRadiusMeters, noShowMs, noShowMaxMs } = context.policy;
  const { metersFromPickup } = command;
  if (metersFromPickup === null) return refused("too_far", "Cannot arrive at the pickup: no position younger than 20 s is known", ride.status);
  if (!(metersFromPickup <= arrivalRadiusMeters)) {
    return refused("too_far", `Cannot arrive at the pickup: ${Math.round(metersFromPickup)} m away, at most ${arrivalRadiusMeters} m are allowed`, ride.status);
  }
  return accepted(ride, driver, { type: "DriverArrived", noShowAtMs: context.nowMs + noShowMs, noShowDeadlineMs: context.nowMs + noShowMaxMs }, context);
}

function startRide(ride: Ride, driver: Driver | null, command: Command<"StartRide">, context: DecisionContext): RideDecision {
  const wrong = notDriversRide(ride, command.driverId) ?? notInStatus(ride, ["arrived"], "Cannot start the ride");
  if (wrong) return wrong;
  const { pinTriesMax } = context.policy;
  if (command.pinFailures >= pinTriesMax)
    return refused("pin_locked", `Cannot start the ride: ${command.pinFailures} wrong PINs; an operator must reset it`, ride.status);
  if (!command.pinMatches) return refused("wrong_pin", `Cannot start the ride: wrong PIN, ${pinTriesMax - command.pinFailures - 1} tries left`, ride.status);
  return accepted(ride, driver, { type: "RideStarted" }, context);
}

function completeRide(ride: Ride, driver: Driver | null, { by }: Command<"CompleteRide">, context: DecisionContext): RideDecision {
  const wrong = (by.party === "driver" ? notDriversRide(ride, by.driverId) : null) ?? notInStatus(ride, ["in_progress"], "Cannot complete the ride");
  if (wrong) return wrong;
  return accepted(ride, driver, { type: "RideCompleted", by: by.party, note: by.party === "operator" ? by.note : "" }, context);
}

function releaseRide(ride: Ride, driver: Driver | null, command: Command<"ReleaseRide">, context: DecisionContext): RideDecision {
  const wrong = notDriversRide(ride, command.driverId) ?? notInStatus(ride, ["assigned", "arrived"], "Cannot give the ride back");
  if (wrong) return wrong;
  if (command.reason !== "no_show") return release(ride, driver, { by: "driver", reason: command.reason }, context);
  if (ride.noShowAtMs === null || context.nowMs < ride.noShowAtMs)
    return refused("ride_state", "Cannot cancel as a no-show: the rider's waiting time is not over", ride.status);
  return cancel(ride, driver, { by: "driver", reason: "no_show" }, context);
}

function releaseSilentDriver(ride: Ride, driver: Driver | null, command: Command<"ReleaseSilentDriver">, context: DecisionContext): RideDecision {
  if (ride.version !== command.rideVersion || command.leaseEpoch !== command.currentEpoch) return stale(ride, "the release proposal is out of date");
  if ((ride.status !== "assigned" && ride.status !== "arrived") || ride.offer?.driverId !== command.driverId)
    return stale(ride, "the driver is not on it before the trip");
  return release(ride, driver, { by: "system", reason: "driver_silent" }, context);
}

function cancelRide(ride: Ride, driver: Driver | null, command: Command<"CancelRide">, context: DecisionContext): RideDecision {
  const { by, reason } = command;
  if (by.party === "rider" && ride.riderId !== by.riderId) return rideNotFound();
  const allowed: readonly RideStatus[] = ["requested", "offered", "assigned", "arrived", ...(by.party === "operator" ? (["in_progress"] as const) : [])];
  return notInStatus(ride, allowed, "Cannot cancel the ride") ?? cancel(ride, driver, { by: by.party, reason }, context);
}

function fireTimer(ride: Ride, driver: Driver | null, context: DecisionContext): RideDecision {
  const { timer, offer } = ride;
  if (timer === null || context.nowMs < timer.atMs) return stale(ride, "no timer is due");
  switch (timer.kind) {
    case "search":
      return accepted(ride, null, { type: "NoDriversFound" }, context);
    case "offer":
      return accepted(ride, driver, { type: "OfferExpired", offerId: live(ride, offer).offerId }, context);
    case "arrival":
      return release(ride, driver, { by: "system", reason: "arrival_timeout" }, context);
    case "no_show":
      return cancel(ride, driver, { by: "system", reason: "no_show" }, context);
    default:
      return unreachable(timer.kind);
  }
}

function release(ride: Ride, driver: Driver | null, { by, reason }: { by: "driver" | "system"; reason: CancelReason }, context: DecisionContext): RideDecision {
  const { offerId } = live(ride, ride.offer);
  return accepted(ride, driver, { type: "AssignmentReleased", offerId, by, reason, searchDeadlineMs: context.nowMs + context.policy.searchMs }, context);
}

function cancel(
  ride: Ride,
  driver: Driver | null,
  { by, reason }: { by: "rider" | "driver" | "operator" | "system"; reason: CancelReason },
  context: DecisionContext,
): RideDecision {
  const fee = by === "rider" ? cancellationFee(ride, context) : by !== "operator" && reason === "no_show" ? noShowFee(ride, context.tariff) : null;
  return accepted(ride, driver, { type: "RideCanceled", by, reason, fee, offerId: ride.offer?.offerId ?? null }, context);
}

function accepted(ride: Ride, driver: Driver | null, body: RideEventBody, { nowMs }: DecisionContext): RideDecision {
  const concerned = ride.offer?.driverId ?? (body.type === "OfferSent" ? driver?.driverId : undefined) ?? null;
  if (concerned !== null && driver?.driverId !== concerned) throw new Error(`Cannot decide ${body.type}: driver "${concerned}" was not loaded`);
  const event: RideEvent = {
    rideId: ride.rideId,
    version: ride.version + 1,
    driverId: concerned,
    driverVersion: concerned === null || driver === null ? null : driver.version + 1,
    occurredAtMs: nowMs,
    body,
  };
  return { kind: "accepted", event, ride: evolveRide(ride, event), driver: concerned === null || driver === null ? null : evolveDriver(driver, event) };
}

function notDriversRide(ride: Ride, driverId: DriverId): Refusal | null {
  const mine = ride.status === "offered" ? false : (ride.offer?.driverId ?? ride.lastDriverId) === driverId;
  return mine ? null : rideNotFound();
}

function notInStatus(ride: Ride, statuses: readonly RideStatus[], action: string): Refusal | null {
  return statuses.includes(ride.status)
    ? null
    : refused("ride_state", `${action}: it is ${ride.status}${isOpen(ride.status) ? "" : " and has ended"}`, ride.status);
}

function live(ride: Ride, offer: LiveOffer | null): LiveOffer {
  if (offer === null) throw new Error(`Ride "${ride.rideId}" is ${ride.status} without an offer`);
  return offer;
}

function driverOnRide(driver: Driver): Refusal {
  return refused("driver_on_ride", `Driver "${driver.driverId}" is ${driver.status} on ride "${driver.rideId}"`);
}

function rideNotFound(): Refusal {
  return refused("ride_not_found", "The ride was not found");
}

function offerNotFound(offerId: OfferId): Refusal {
  return refused("offer_not_found", `Offer "${offerId}" was not found`);
}

function stale(ride: Ride, why: string): Refusal {
  return refused("stale", `Ride "${ride.rideId}" is ${ride.status} at version ${ride.version}: ${why}`, ride.status);
}

function refused(reason: RefusalReason, message: string, status?: RideStatus): Refusal {
  return status === undefined ? { kind: "refused", reason, message } : { kind: "refused", reason, message, status };
}
