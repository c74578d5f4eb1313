/** Operators' acts on Postgres: request id, lock, change, audit and answer in one transaction. */
import type { IdSource } from "@ridegrid/domain";
import { createDeadLetterStore } from "@ridegrid/eventlog";
import type { Sql } from "@ridegrid/runtime";
import type { Regions } from "@ridegrid/spatial";
import type { AuditEntry } from "./audit.ts";
import { writeOfAudit } from "./audit.postgres.ts";
import { waiverOf } from "./ledger.ts";
import { writeOfTransfers } from "./ledger.postgres.ts";
import { lockRide } from "./load-ride.postgres.ts";
import { type Act, type OperatorStore, rideNotFound } from "./operator-store.ts";
import type { ProposalDeps } from "./proposal.ts";
import { applyProposals } from "./proposal-consumer.ts";
import { proposalConsumer } from "./proposal-intake.ts";
import { databaseNowMs } from "./read-clock.postgres.ts";
import { claimRequest, writeOfOutcome } from "./request-store.postgres.ts";
import type { Outcome } from "./ride-store.ts";
import { runTransaction } from "./transaction.postgres.ts";
import { type TakenOver, takeOver } from "./take-over.postgres.ts";
import type { Tx } from "./tx.ts";
import { writeTogether } from "./write-together.ts";
import { rideId } from "@ridegrid/domain";

type OperatorStoreDeps = {
  readonly sql: Sql;
  readonly ids: IdSource;
  readonly regions: Regions;
  readonly proposals: ProposalDeps;
  /** Called after a commit that wrote outbox rows of the home region. */
  readonly onCommit: (homeRegion: string) => void;
};

export function createPostgresOperatorStore({ sql, ids, regions, proposals, onCommit }: OperatorStoreDeps): OperatorStore {
  return {
    resetPinTries: (id, act) => runTransaction(sql, ids, (tx, nextId) => resetPinTries(tx, id, act, nextId)),
    waiveFee: (id, act) => runTransaction(sql, ids, (tx, nextId) => waiveFee(tx, id, act, nextId)),
    setDraining: (region, draining, act) => runTransaction(sql, ids, (tx, nextId) => setDraining(tx, { region, draining }, act, nextId)),
    async takeOver(region, act) {
      const outcome = await runTransaction(sql, ids, (tx, nextId) => takeOverRegion(tx, { region, regions }, act, nextId));
      onCommit(regions.region(region).neighbor);
      return outcome;
    },
    async replayDeadLetters(letters, act) {
      const outcome = await runTransaction(sql, ids, (tx, nextId) => replayDeadLetters(tx, { letters, proposals }, act, nextId));
      for (const { id } of regions.all) onCommit(id);
      return outcome;
    },
    record: (audit, act) => runTransaction(sql, ids, (tx, nextId) => record(tx, audit, act, nextId)),
  };
}

async function resetPinTries(tx: Tx, id: string, act: Parameters<OperatorStore["resetPinTries"]>[1], nextId: () => string): Promise<Outcome> {
  const claim = await claimRequest(tx, act.request);
  if (claim !== null) return claim;
  const { ride, pinFailures, nowMs } = await lockRide(tx, { kind: "ride", rideId: rideId(id) });
  if (ride === null) return rideNotFound;
  await tx`UPDATE ride SET pin_failures = 0 WHERE ride_id = ${id}`;
  return await finish(tx, act, { result: ride, audit: { subject: id, before: `${pinFailures} wrong PINs`, after: "0 wrong PINs", atMs: nowMs } }, nextId);
}

async function waiveFee(tx: Tx, id: string, act: Parameters<OperatorStore["waiveFee"]>[1], nextId: () => string): Promise<Outcome> {
  const claim = await claimRequest(tx, act.request);
  if (claim !== null) return claim;
  const { ride, nowMs } = await lockRide(tx, { kind: "ride", rideId: rideId(id) });
  if (ride === null) return rideNotFound;
  const transfer = waiverOf(ride, nowMs);
  const waived = await tx`SELECT FROM ledger_entry WHERE ride_id = ${id} AND kind = 'waiver'`;
  if (transfer === null || ride.cancellationFee === null || waived.count > 0) {
    const why = waived.count > 0 ? "it was given back already" : "none was charged";
    return { kind: "refused", reason: "ride_state", message: `Cannot waive the fee: ${why}`, status: ride.status };
  }
  await writeTogether(tx, writeOfTransfers([transfer], nextId));
  const { currencyCode, amountMinor } = ride.cancellationFee;
  const audit = { subject: id, before: `fee ${amountMinor} ${currencyCode}`, after: `fee 0 ${currencyCode}`, atMs: nowMs };
  return await finish(tx, act, { result: { ride, waived: ride.cancellationFee }, audit }, nextId);
}

async function setDraining(tx: Tx, to: { readonly region: string; readonly draining: boolean }, act: Act<null>, nextId: () => string): Promise<Outcome> {
  const claim = await claimRequest(tx, act.request);
  if (claim !== null) return claim;
  await tx`INSERT INTO region_state (region, served_by) VALUES (${to.region}, ${to.region}) ON CONFLICT DO NOTHING`;
  const rows = await tx<{ draining: boolean }[]>`SELECT draining FROM region_state WHERE region = ${to.region} FOR UPDATE`;
  await tx`UPDATE region_state SET draining = ${to.draining} WHERE region = ${to.region}`;
  const audit = { subject: to.region, before: words(rows[0]?.draining === true), after: words(to.draining), atMs: await databaseNowMs(tx) };
  return await finish(tx, act, { result: null, audit }, nextId);
}

async function takeOverRegion(
  tx: Tx,
  lost: { readonly region: string; readonly regions: Regions },
  act: Act<TakenOver>,
  nextId: () => string,
): Promise<Outcome> {
  const claim = await claimRequest(tx, act.request);
  if (claim !== null) return claim;
  const { region, regions } = lost;
  const taken = await takeOver(tx, region, regions);
  const after =
    taken.regions.length === 0
      ? "serves nothing already"
      : `${taken.regions.join(", ")} served by ${regions.region(region).neighbor}: ${taken.openRides} open rides (${taken.withoutHistory} without their first events), ${taken.drivers} drivers, ${taken.eventsReplayed} events published again`;
  const audit = { subject: region, before: `serves ${taken.regions.join(", ") || "nothing"}`, after, atMs: await databaseNowMs(tx) };
  return await finish(tx, act, { result: taken, audit }, nextId);
}

type Replayed = { readonly letters: readonly string[]; readonly proposals: ProposalDeps };

async function replayDeadLetters(tx: Tx, { letters, proposals }: Replayed, act: Act<number>, nextId: () => string): Promise<Outcome> {
  const claim = await claimRequest(tx, act.request);
  if (claim !== null) return claim;
  const replayed = await createDeadLetterStore().replay(tx, {
    consumer: proposalConsumer,
    ids: letters,
    apply: async (inner, { record: letter }) => void (await applyProposals(inner, [letter], proposals)),
  });
  const audit = {
    subject: letters.join(" "),
    before: `${letters.length} dead letters`,
    after: `${replayed} applied by the coordinator`,
    atMs: await databaseNowMs(tx),
  };
  return await finish(tx, act, { result: replayed, audit }, nextId);
}

async function record(tx: Tx, audit: Parameters<OperatorStore["record"]>[0], act: Act<null>, nextId: () => string): Promise<Outcome> {
  const claim = await claimRequest(tx, act.request);
  if (claim !== null) return claim;
  return await finish(tx, act, { result: null, audit: { ...audit, atMs: await databaseNowMs(tx) } }, nextId);
}

function words(draining: boolean): string {
  return draining ? "draining" : "open";
}

type Done<Result> = { readonly result: Result; readonly audit: Omit<AuditEntry, "principal" | "method" | "reason"> };

async function finish<Result>(tx: Tx, act: Act<Result>, { result, audit }: Done<Result>, nextId: () => string): Promise<Outcome> {
  const outcome: Outcome = { kind: "answered", answer: act.answer(result) };
  const { principal, method, reason } = act;
  await writeTogether(tx, [writeOfAudit(nextId(), { principal, method, reason, ...audit }), writeOfOutcome(act.request, outcome)]);
  return outcome;
}
