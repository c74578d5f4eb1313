/**
 * Consumes `match-proposals.v1`: offers through the guard, releases of silent drivers through the single-ride path,
 * both in the checkpoint's own transaction.
 *
 * What comes too late is refused and emits nothing. What does not decode is put aside.
 */
import { fromBinary } from "@bufbuild/protobuf";
import { MatchProposalSchema, type MatchProposal } from "@ridegrid/contracts/gen/event/v1/events_pb";
import { decideRide, driverId, type IdSource, proposalId, rideId } from "@ridegrid/domain";
import { PoisonRecord, type StoredRecord } from "@ridegrid/eventlog";
import type { Regions } from "@ridegrid/spatial";
import type { RideChange } from "./change.ts";
import { lockRide } from "./load-ride.postgres.ts";
import { marketRules } from "./market-rules.ts";
import { type GuardDeps, offerProposals, type OfferProposal } from "./proposal-guard.postgres.ts";
import { currentLeaseEpoch } from "./matching-lease.postgres.ts";
import type { Tx } from "./tx.ts";
import { writeChanges } from "./write-changes.postgres.ts";

type ReleaseProposal = Omit<OfferProposal, "pickupEtaSeconds">;
export type Proposals = { readonly offers: readonly OfferProposal[]; readonly releases: readonly ReleaseProposal[] };

export type ProposalDeps = GuardDeps & { readonly ids: IdSource; readonly regions: Regions };

export type Applied = { readonly offers: number; readonly releases: number; readonly refused: number };

export async function applyProposals(tx: Tx, records: readonly StoredRecord[], deps: ProposalDeps): Promise<Applied> {
  const { offers, releases } = decodeProposals(records);
  const nextId = (): string => deps.ids.uuid();
  if (releases.length > 0) await lockPage(tx, [...offers, ...releases]);
  const made = await offerProposals(tx, offers, deps, nextId);
  let released = 0;
  for (const release of releases) released += (await applyRelease(tx, release, deps, nextId)) ? 1 : 0;
  return { offers: made.length, releases: released, refused: offers.length + releases.length - made.length - released };
}

/** @throws PoisonRecord for the first record that is no proposal. */
export function decodeProposals(records: readonly StoredRecord[]): Proposals {
  const offers: OfferProposal[] = [];
  const releases: ReleaseProposal[] = [];
  for (const record of records) {
    const wire = decode(record);
    const facts = factsOf(record, wire);
    if (wire.kind.case === "offer") offers.push({ ...facts, driverId: driverId(wire.kind.value.driverId), pickupEtaSeconds: wire.kind.value.pickupEtaSeconds });
    else if (wire.kind.case === "release") releases.push({ ...facts, driverId: driverId(wire.kind.value.driverId) });
    else throw new PoisonRecord(record.offset, `Proposal "${wire.proposalId}" proposes nothing in the contract`);
  }
  return { offers, releases };
}

/** Releases lock ride after ride. All rides first, then all drivers, each by id: then no other order can meet this one head-on. */
async function lockPage(tx: Tx, page: readonly ReleaseProposal[]): Promise<void> {
  const rideIds = JSON.stringify(page.map((proposal) => proposal.rideId));
  const driverIds = JSON.stringify(page.map((proposal) => proposal.driverId));
  await Promise.all([
    tx`SELECT FROM ride WHERE ride_id IN (SELECT jsonb_array_elements_text(${rideIds}::text::jsonb)::uuid) ORDER BY ride_id FOR UPDATE`,
    tx`SELECT FROM driver WHERE driver_id IN (SELECT jsonb_array_elements_text(${driverIds}::text::jsonb)) ORDER BY driver_id FOR UPDATE`,
  ]);
}

async function applyRelease(tx: Tx, release: ReleaseProposal, deps: ProposalDeps, nextId: () => string): Promise<boolean> {
  const loaded = await lockRide(tx, { kind: "ride", rideId: release.rideId });
  if (loaded.ride === null) return false;
  const currentEpoch = await currentLeaseEpoch(tx, { ...loaded.ride, consumer: deps.matchingConsumer });
  const { driverId: driver, rideVersion, leaseEpoch } = release;
  const command = { type: "ReleaseSilentDriver", driverId: driver, rideVersion, leaseEpoch, currentEpoch } as const;
  const decision = decideRide(loaded.ride, loaded.driver, command, { nowMs: loaded.nowMs, ...marketRules(deps.regions, loaded.ride) });
  if (decision.kind === "refused") return false;
  const change: RideChange = { kind: "ride", before: loaded.ride, event: decision.event, ride: decision.ride, driver: decision.driver };
  const cause = { correlationId: release.proposalId, causationId: release.causationId, traceparent: release.traceparent };
  await writeChanges(tx, [{ change, cause }], nextId);
  return true;
}

function decode(record: StoredRecord): MatchProposal {
  try {
    return fromBinary(MatchProposalSchema, record.value);
  } catch (cause) {
    throw new PoisonRecord(record.offset, `It is no proposal: ${String(cause)}`, { cause });
  }
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Ids go into a statement of many proposals: one that Postgres would refuse must not take the page with it. */
function factsOf(record: StoredRecord, wire: MatchProposal): Omit<ReleaseProposal, "driverId"> {
  if (!uuid.test(wire.rideId) || !uuid.test(wire.proposalId))
    throw new PoisonRecord(record.offset, `Proposal "${wire.proposalId}" for ride "${wire.rideId}" has no valid ids`);
  if (wire.kind.value?.driverId.includes("\0") === true) throw new PoisonRecord(record.offset, `Proposal "${wire.proposalId}" names no valid driver`);
  return {
    proposalId: proposalId(wire.proposalId),
    rideId: rideId(wire.rideId),
    rideVersion: Number(wire.rideVersion),
    leaseEpoch: Number(wire.leaseEpoch),
    causationId: wire.envelope?.eventId ?? "",
    traceparent: wire.envelope?.traceparent ?? "",
  };
}
