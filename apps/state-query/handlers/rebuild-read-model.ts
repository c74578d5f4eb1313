/** Folds the rides of this region anew for an operator; unset while it goes on. */
import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { type RebuildReadModelRequest, type RebuildReadModelResponse, RebuildReadModelResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { RebuildReadModelResponseSchema as ResultSchema } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { apiError, callerOf } from "@ridegrid/rpc";
import { requireRegion, type StateQueryParts } from "../state-query-parts.ts";

export async function rebuildReadModel(
  parts: StateQueryParts,
  { command }: RebuildReadModelRequest,
  context: HandlerContext,
): Promise<RebuildReadModelResponse> {
  const { region = "", model = "", requestId = "" } = command ?? {};
  requireRegion(parts, region);
  const { role, principal } = callerOf(context);
  if (role !== "operator") throw apiError("ROLE_NOT_ALLOWED", `Cannot rebuild a read model as "${role}"`);
  if (model !== "rides") throw apiError("FIELD_INVALID", `There is no read model "${model}" to rebuild`, { field: "command.model" });
  const result = await parts.rebuilds.run({ requestId: requestId.toLowerCase(), principal });
  if (result === null) return create(RebuildReadModelResponseSchema);
  const { rides, ...rest } = result;
  return create(RebuildReadModelResponseSchema, { result: create(ResultSchema, { ...rest, rows: BigInt(rides) }) });
}
