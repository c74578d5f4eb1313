/**
 * The port of what operators change besides a ride's state: PIN locks, fees, drains, takeovers. Each act is applied once per
 * request id and audited in its own transaction.
 */
import type { Money, Refusal, Ride } from "@ridegrid/domain";
import type { AuditEntry } from "./audit.ts";
import type { RequestKey } from "./request-key.ts";
import type { Outcome } from "./ride-store.ts";
import type { TakenOver } from "./take-over.postgres.ts";

export type Act<Result> = {
  readonly request: RequestKey;
  readonly principal: string;
  /** The public method's name, for the audit. */
  readonly method: string;
  readonly reason: string;
  readonly answer: (result: Result) => Uint8Array;
};

export type RegionState = { readonly region: string; readonly draining: boolean; readonly servedBy: string; readonly epoch: number };

export interface OperatorStore {
  resetPinTries(rideId: string, act: Act<Ride>): Promise<Outcome>;
  waiveFee(rideId: string, act: Act<{ readonly ride: Ride; readonly waived: Money }>): Promise<Outcome>;
  setDraining(region: string, draining: boolean, act: Act<null>): Promise<Outcome>;
  /** Everything at home in the region moves to its neighbor. */
  takeOver(region: string, act: Act<TakenOver>): Promise<Outcome>;
  /** Applies the coordinator's dead letters among those named; `act` answers how many of them are applied. */
  replayDeadLetters(ids: readonly string[], act: Act<number>): Promise<Outcome>;
  /** Audits what was done in another service. */
  record(act: Pick<AuditEntry, "subject" | "before" | "after">, by: Act<null>): Promise<Outcome>;
}

export const rideNotFound: Refusal = { kind: "refused", reason: "ride_not_found", message: "The ride was not found" };
