/**
 * The port of single commands: one command on one ride or one shift, applied once per request id.
 *
 * An implementation looks the request id up first, then locks the ride, then its driver, then reads the database's
 * clock, asks the domain, and writes state, events and answer in one transaction. It holds no rules of its own.
 */
import type {
  Driver,
  FareQuote,
  OfferId,
  OfferStatus,
  Refusal,
  Ride,
  RideCommand,
  RideDecision,
  RideId,
  ShiftDecision,
  DriverId,
  RiderId,
  QuoteId,
} from "@ridegrid/domain";
import type { AuditEntry } from "./audit.ts";
import type { Cause, RideChange } from "./change.ts";
import type { RequestKey } from "./request-key.ts";
import type { Serving } from "./serving.postgres.ts";

export type RideTarget =
  { readonly kind: "ride"; readonly rideId: RideId } | { readonly kind: "offer"; readonly offerId: OfferId; readonly driverId: DriverId };

/** What is locked and read before a decision. `driver` is the one of the ride's live offer. */
export type LoadedRide = {
  readonly ride: Ride | null;
  readonly driver: Driver | null;
  readonly pinFailures: number;
  /** How the target's offer stands in the store; null for a target that is no offer. */
  readonly offerStatus: OfferStatus | null;
  readonly nowMs: number;
};

export type RideWork = {
  readonly request: RequestKey;
  readonly cause: Cause;
  readonly target: RideTarget;
  readonly command: (loaded: LoadedRide) => RideCommand;
  /** Written with the change. */
  readonly audit?: (change: RideChange) => AuditEntry;
  /** The answer's bytes: stored, and given again to the same request id. */
  readonly answer: (change: RideChange) => Uint8Array;
};

export type NewRideWork = {
  readonly request: RequestKey;
  readonly cause: Cause;
  readonly riderId: RiderId;
  readonly quoteId: QuoteId;
  readonly answer: (change: RideChange) => Uint8Array;
};

/** `ride` is the one that the driver is asked about or on, locked before the driver. */
export type LoadedShift = { readonly driver: Driver; readonly ride: Ride | null; readonly serving: Serving; readonly nowMs: number };

export type ShiftStep = { readonly kind: "ride"; readonly decision: RideDecision } | { readonly kind: "shift"; readonly decision: ShiftDecision };

export type ShiftWork = {
  readonly request: RequestKey;
  readonly cause: Cause;
  readonly driverId: DriverId;
  /** The market that a shift opens in; null when none does. */
  readonly opensIn: string | null;
  /** One step at a time, each seeing what the one before it made; null when there is nothing left to do. */
  readonly next: (loaded: LoadedShift, done: number) => ShiftStep | null;
  readonly answer: (driver: Driver) => Uint8Array;
};

export type Outcome = { readonly kind: "answered"; readonly answer: Uint8Array } | Refusal;

export interface RideStore {
  saveQuote(quote: FareQuote): Promise<void>;
  requestRide(work: NewRideWork): Promise<Outcome>;
  changeRide(work: RideWork): Promise<Outcome>;
  changeShift(work: ShiftWork): Promise<Outcome>;
}
