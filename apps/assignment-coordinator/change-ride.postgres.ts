/**
 * One command on one ride: request id, locks, clock, decision, writes.
 *
 * The clock is read in a later statement than the locks, so that waiting for a lock never makes an old time decide.
 */
import { decideRide, type Refusal } from "@ridegrid/domain";
import { writeOfAudit } from "./audit.postgres.ts";
import type { RideChange } from "./change.ts";
import { lockRide } from "./load-ride.postgres.ts";
import { marketRules } from "./market-rules.ts";
import { claimRequest, writeOfOutcome } from "./request-store.postgres.ts";
import type { RideStoreDeps } from "./ride-store-deps.ts";
import type { LoadedRide, Outcome, RideWork } from "./ride-store.ts";
import { runTransaction } from "./transaction.postgres.ts";
import type { Tx } from "./tx.ts";
import { writeChanges } from "./write-changes.postgres.ts";
import { writeTogether } from "./write-together.ts";

export async function changeRide(deps: RideStoreDeps, work: RideWork): Promise<Outcome> {
  const result = await runTransaction<Outcome & { readonly change?: RideChange }>(deps.sql, deps.ids, async (tx, nextId) => {
    const claim = await claimRequest(tx, work.request);
    if (claim !== null) return claim;
    const loaded = await lockRide(tx, work.target);
    const command = work.command(loaded);
    const decision = decideRide(loaded.ride, loaded.driver, command, { nowMs: loaded.nowMs, ...marketRules(deps.regions, loaded.ride) });
    if (decision.kind === "refused") {
      if (decision.reason === "wrong_pin") await countWrongPin(tx, work, decision, loaded);
      return decision;
    }
    const change: RideChange = { kind: "ride", before: loaded.ride, event: decision.event, ride: decision.ride, driver: decision.driver };
    const outcome = { kind: "answered", answer: work.answer(change) } as const;
    const audit = work.audit === undefined ? [] : [writeOfAudit(nextId(), work.audit(change))];
    await writeChanges(tx, [{ change, cause: work.cause }], nextId, [...audit, writeOfOutcome(work.request, outcome)]);
    return { ...outcome, change };
  });
  if (result.kind === "answered" && result.change !== undefined) deps.onCommit(result.change.ride.homeRegion);
  return result;
}

/** The one refusal that changes something; it is stored, or a repeated request would count twice. */
async function countWrongPin(tx: Tx, work: RideWork, refusal: Refusal, { ride }: LoadedRide): Promise<void> {
  if (ride === null) throw new Error("Cannot count a wrong PIN: no ride was loaded");
  const counted = { name: "wrong-pin", sql: "UPDATE ride SET pin_failures = pin_failures + 1 WHERE ride_id = $1", values: [ride.rideId] };
  await writeTogether(tx, [counted, writeOfOutcome(work.request, refusal)]);
}
