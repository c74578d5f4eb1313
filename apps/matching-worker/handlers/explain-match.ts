/** `ExplainMatch`: the candidates of the ride's last proposal, and why each other one was not chosen. */
import { create } from "@bufbuild/protobuf";
import { type ExplainMatchResponse, ExplainMatchResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import type { PlannedOffer } from "../plan-tick.ts";

/** Empty when this worker never proposed anybody for the ride, or long ago. */
export function explainMatch(offer: PlannedOffer | undefined): ExplainMatchResponse {
  const candidates = (offer?.candidates ?? []).map(({ driverId, pickupEtaSeconds, reason }) => ({ driverId, pickupEtaSeconds, reason, chosen: reason === "" }));
  return create(ExplainMatchResponseSchema, { candidates });
}
