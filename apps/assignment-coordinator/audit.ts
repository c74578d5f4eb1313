/** What an operator did: who, when, why, and what it was before and after. */
import type { RideChange } from "./change.ts";

export type AuditEntry = {
  readonly principal: string;
  readonly method: string;
  readonly reason: string;
  /** A ride id or a region. */
  readonly subject: string;
  readonly before: string;
  readonly after: string;
  readonly atMs: number;
};

/** `method` is the public one's name. */
export function auditOf({ before, ride }: RideChange, who: { readonly principal: string; readonly method: string; readonly reason: string }): AuditEntry {
  return {
    ...who,
    subject: ride.rideId,
    before: before === null ? "" : `${before.status} at version ${before.version}`,
    after: `${ride.status} at version ${ride.version}`,
    atMs: ride.updateTimeMs,
  };
}
