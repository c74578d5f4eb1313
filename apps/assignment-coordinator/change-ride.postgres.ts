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
import { type Decided, runCommand } from "./transaction.postgres.ts";
import { writesOf } from "./write-changes.postgres.ts";

type Result = { readonly outcome: Outcome; readonly homeRegion: string | null };

export async function changeRide(deps: RideStoreDeps, work: RideWork): Promise<Outcome> {
  const { outcome, homeRegion } = await runCommand<readonly [Outcome | null, LoadedRide], Result>(deps.sql, deps.ids, {
    read: (tx) => Promise.all([claimRequest(tx, work.request), lockRide(tx, work.target)]),
    decide: ([claim, loaded], nextId) => (claim === null ? decide(deps, work, loaded, nextId) : { result: { outcome: claim, homeRegion: null }, writes: [] }),
  });
  if (homeRegion !== null) deps.onCommit(homeRegion);
  return outcome;
}

function decide(deps: RideStoreDeps, work: RideWork, loaded: LoadedRide, nextId: () => string): Decided<Result> {
  const decision = decideRide(loaded.ride, loaded.driver, work.command(loaded), { nowMs: loaded.nowMs, ...marketRules(deps.regions, loaded.ride) });
  if (decision.kind === "refused") {
    const writes = decision.reason === "wrong_pin" ? wrongPin(work, decision, loaded) : [];
    return { result: { outcome: decision, homeRegion: null }, writes };
  }
  const change: RideChange = { kind: "ride", before: loaded.ride, event: decision.event, ride: decision.ride, driver: decision.driver };
  const outcome = { kind: "answered", answer: work.answer(change) } as const;
  const writes = writesOf([{ change, cause: work.cause }], nextId);
  const audit = work.audit === undefined ? [] : [writeOfAudit(nextId(), work.audit(change))];
  return { result: { outcome, homeRegion: change.ride.homeRegion }, writes: [...writes, ...audit, writeOfOutcome(work.request, outcome)] };
}

/** The one refusal that changes something; it is stored, or a repeated request would count twice. */
function wrongPin(work: RideWork, refusal: Refusal, { ride }: LoadedRide) {
  if (ride === null) throw new Error("Cannot count a wrong PIN: no ride was loaded");
  const counted = { name: "wrong-pin", sql: "UPDATE ride SET pin_failures = pin_failures + 1 WHERE ride_id = $1", values: [ride.rideId] };
  return [counted, writeOfOutcome(work.request, refusal)];
}
