/** Lists what only the read model can see: rides parked behind a gap in their versions, and views that are not at their last event. */
import { create } from "@bufbuild/protobuf";
import {
  type ListReadModelViolationsRequest,
  type ListReadModelViolationsResponse,
  ListReadModelViolationsResponseSchema,
} from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { InvariantViolationSchema } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { violationsMax } from "../limits.ts";
import { requireRegion, type StateQueryParts } from "../state-query-parts.ts";

export async function listReadModelViolations(parts: StateQueryParts, request: ListReadModelViolationsRequest): Promise<ListReadModelViolationsResponse> {
  requireRegion(parts, request.region);
  const found = await parts.rides.violations(violationsMax);
  return create(ListReadModelViolationsResponseSchema, { violations: found.map((violation) => create(InvariantViolationSchema, violation)) });
}
