/**
 * Consumes `match-proposals.v1`: offers through the guard, releases of silent drivers through `decide`, both in the checkpoint's own transaction.
 *
 * What comes too late is refused and emits nothing. What does not decode is put aside.
 */
import { fromBinary } from "@bufbuild/protobuf";
import { MatchProposalSchema, type MatchProposal } from "@ridegrid/contracts/gen/event/v1/events_pb";
import { driverId, proposalId, rideId } from "@ridegrid/domain";
import { PoisonRecord, type StoredRecord } from "@ridegrid/eventlog";
import type { Applied, OfferProposal, ProposalDeps, Proposals, ReleaseProposal } from "./proposal.ts";
import { offerProposals } from "./proposal-guard.postgres.ts";
import { releaseSilentDrivers } from "./release-silent.postgres.ts";
import type { Tx } from "./tx.ts";

export async function applyProposals(tx: Tx, records: readonly StoredRecord[], deps: ProposalDeps): Promise<Applied> {
  const { offers, releases } = decodeProposals(records);
  const nextId = (): string => deps.ids.uuid();
  // Releases first: they read what the page found, not what it made.
  const released = await releaseSilentDrivers(tx, { offers, releases }, deps, nextId);
  const made = await offerProposals(tx, offers, deps, nextId);
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
    homeRegion: wire.envelope?.homeRegion ?? "",
    leaseEpoch: Number(wire.leaseEpoch),
    causationId: wire.envelope?.eventId ?? "",
    traceparent: wire.envelope?.traceparent ?? "",
  };
}
