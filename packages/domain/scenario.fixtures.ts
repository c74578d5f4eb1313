/** Rides and their drivers in every state, and a sentence to test decisions with: given … when … then … */
import { expect } from "bun:test";
import { decideRide, type RefusalReason, type RideCommand, type RideDecision } from "./decide.ts";
import { type Driver, newDriver } from "./driver.ts";
import type { FareQuote } from "./fare-quote.ts";
import { type DriverId, driverId, marketId, offerId, proposalId, quoteId, regionId, rideId, type RiderId, riderId, shiftId } from "./ids.ts";
import { defaultDispatchPolicy, type Tariff } from "./market.ts";
import { money } from "./money.ts";
import type { CancelReason, OfferStatus, Ride } from "./ride.ts";
import { unreachable } from "./unreachable.ts";

export const nowMs = 1_800_000_000_000;
export const policy = defaultDispatchPolicy;
export const tariff: Tariff = {
  baseMinor: 300,
  perKilometerMinor: 110,
  perMinuteMinor: 40,
  minimumMinor: 800,
  bookingFeeMinor: 0,
  cancellationFeeMinor: 500,
  noShowFeeMinor: 700,
};
const rider: RiderId = riderId("r-1");
const epoch = 7;

const offer = offerId("offer-1");
const place = { marketId: marketId("nyc"), homeRegion: regionId("ewr"), partition: 0 };

export type Situation = { readonly ride: Ride; readonly driver: Driver };

/** A command in few words; what is left out is what would be accepted. */
export type Said = {
  readonly type: RideCommand["type"];
  readonly riderId?: string;
  readonly driverId?: string;
  readonly quoteUsed?: boolean;
  readonly quoteExpiresInMs?: number;
  readonly riderHasOpenRide?: boolean;
  readonly rideVersion?: number;
  readonly leaseEpoch?: number;
  readonly offerStatus?: OfferStatus;
  readonly goingOffline?: boolean;
  readonly metersFromPickup?: number | null;
  readonly pinMatches?: boolean;
  readonly pinFailures?: number;
  readonly party?: "rider" | "driver" | "operator";
  readonly reason?: CancelReason;
};

export function availableDriver(id: DriverId = driverId("d-1")): Driver {
  const shift = { shiftId: shiftId("s-1"), ...place, vehicle: { seats: 4, plate: "RG 1", model: "Ioniq 5" }, acceptReassignment: false, startedAtMs: nowMs };
  return { ...newDriver(id), status: "available", version: 1, shift };
}

export function quoteOf(id: RiderId, expiresInMs: number): FareQuote {
  const trip = { pickup: { latitude: 40.75, longitude: -73.98 }, dropoff: { latitude: 40.7, longitude: -74 }, seats: 1, tripMeters: 5_000, tripSeconds: 900 };
  return {
    quoteId: quoteId("q-1"),
    riderId: id,
    ...place,
    ...trip,
    fare: money("USD", 1_500),
    surge: 1,
    pickupEtaSeconds: 120,
    expiresAtMs: nowMs + expiresInMs,
  };
}

export function given(situation: Situation | null) {
  const sentence = (atMs: number) => ({
    at: (laterMs: number) => sentence(laterMs),
    when: (said: Said) => outcome(decideRide(situation?.ride ?? null, situation?.driver ?? null, commandOf(said, situation), { nowMs: atMs, policy, tariff })),
  });
  return sentence(nowMs);
}

function outcome(decision: RideDecision) {
  const accepted = () => {
    if (decision.kind === "refused") throw new Error(`Expected an event, got the refusal "${decision.reason}": ${decision.message}`);
    return decision;
  };
  const then = {
    thenRide(expected: Partial<Ride>) {
      expect(accepted().ride).toMatchObject(expected);
      return then;
    },
    thenDriver(expected: Partial<Driver>) {
      expect(accepted().driver).toMatchObject(expected);
      return then;
    },
    thenRefused(reason: RefusalReason) {
      expect(decision.kind === "refused" ? decision.reason : `accepted ${decision.event.body.type}`).toBe(reason);
    },
  };
  return then;
}

function commandOf(said: Said, situation: Situation | null): RideCommand {
  const driver = driverId(said.driverId ?? "d-1");
  const version = said.rideVersion ?? situation?.ride.version ?? 1;
  const fenced = { driverId: driver, rideVersion: version, leaseEpoch: said.leaseEpoch ?? epoch, currentEpoch: epoch };
  switch (said.type) {
    case "RequestRide": {
      const quote = quoteOf(rider, said.quoteExpiresInMs ?? 300_000);
      return {
        type: said.type,
        rideId: rideId("ride-1"),
        riderId: riderId(said.riderId ?? rider),
        quote,
        quoteUsed: said.quoteUsed ?? false,
        riderHasOpenRide: said.riderHasOpenRide ?? false,
      };
    }
    case "SendOffer":
      return { type: said.type, offerId: offer, proposalId: proposalId("p-1"), pickupEtaSeconds: 120, ...fenced };
    case "AcceptOffer":
      return { type: said.type, driverId: driver, offerId: offer, offerStatus: said.offerStatus ?? null };
    case "DeclineOffer":
      return { type: said.type, driverId: driver, offerId: offer, goingOffline: said.goingOffline ?? false };
    case "ArriveAtPickup":
      return { type: said.type, driverId: driver, metersFromPickup: said.metersFromPickup === undefined ? 10 : said.metersFromPickup };
    case "StartRide":
      return { type: said.type, driverId: driver, pinMatches: said.pinMatches ?? true, pinFailures: said.pinFailures ?? 0 };
    case "CompleteRide":
      return { type: said.type, by: said.party === "operator" ? { party: "operator", note: "by phone" } : { party: "driver", driverId: driver } };
    case "ReleaseRide":
      return { type: said.type, driverId: driver, reason: said.reason ?? "vehicle_problem" };
    case "ReleaseSilentDriver":
      return { type: said.type, ...fenced };
    case "CancelRide":
      return {
        type: said.type,
        by: said.party === "operator" ? { party: "operator" } : { party: "rider", riderId: riderId(said.riderId ?? rider) },
        reason: said.reason ?? "other",
      };
    case "FireTimer":
      return { type: said.type };
    default:
      return unreachable(said.type);
  }
}

/** Each state reached by the commands that lead to it, all at `nowMs`. */
export function createScenario() {
  const after = (situation: Situation | null, said: Said): Situation => {
    const decision = decideRide(situation?.ride ?? null, situation?.driver ?? null, commandOf(said, situation), { nowMs, policy, tariff });
    if (decision.kind === "refused") throw new Error(decision.message);
    return { ride: decision.ride, driver: decision.driver ?? situation?.driver ?? availableDriver() };
  };
  const requested = after(null, { type: "RequestRide" });
  const offered = after(requested, { type: "SendOffer" });
  const assigned = after(offered, { type: "AcceptOffer" });
  const arrived = after(assigned, { type: "ArriveAtPickup" });
  const inProgress = after(arrived, { type: "StartRide" });
  const completed = after(inProgress, { type: "CompleteRide" });
  const canceled = after(requested, { type: "CancelRide" });
  return { requested, offered, assigned, arrived, inProgress, completed, canceled, otherMarket: marketId("lon") };
}
