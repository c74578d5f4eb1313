/** A planned proposal as the outbox row that becomes a record of `match-proposals.v1`. Ids are fresh in each run. */
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@ridegrid/contracts";
import { MatchProposalSchema } from "@ridegrid/contracts/gen/event/v1/events_pb";
import { type IdSource, type Market, unreachable } from "@ridegrid/domain";
import type { OutboxRow } from "@ridegrid/eventlog";
import type { PlannedProposal } from "./plan-tick.ts";

/** `homeRegion` is the lease's: after a takeover another one than the market is configured in. */
export type ProposalOrigin = {
  readonly market: Market;
  readonly homeRegion: string;
  readonly leaseEpoch: number;
  readonly nowMs: number;
  readonly ids: IdSource;
  readonly traceparent: string;
};

export function proposalRow(planned: PlannedProposal, { market, homeRegion, leaseEpoch, nowMs, ids, traceparent }: ProposalOrigin): OutboxRow {
  const { marketId, partition } = market;
  const [eventId, proposalId] = [ids.uuid(), ids.uuid()];
  const message = create(MatchProposalSchema, {
    envelope: { eventId, occurTime: timestampFromMs(nowMs), homeRegion, marketId, partition, correlationId: proposalId, traceparent },
    proposalId,
    rideId: planned.rideId,
    rideVersion: BigInt(planned.rideVersion),
    leaseEpoch: BigInt(leaseEpoch),
    kind: kindOf(planned),
  });
  const payload = toBinary(MatchProposalSchema, message);
  const headers = { "event-id": eventId, type: "MatchProposal", ...(traceparent === "" ? {} : { traceparent }) };
  return { homeRegion, topic: "match-proposals.v1", partition, key: planned.rideId, eventId, payload, headers };
}

function kindOf(planned: PlannedProposal): NonNullable<MessageInitShape<typeof MatchProposalSchema>["kind"]> {
  const { driverId } = planned;
  switch (planned.kind) {
    case "offer":
      return { case: "offer", value: { driverId, pickupEtaSeconds: planned.pickupEtaSeconds, candidates: planned.candidates.map((one) => ({ ...one })) } };
    case "release":
      return { case: "release", value: { driverId, silentSeconds: planned.silentSeconds } };
    default:
      return unreachable(planned);
  }
}
