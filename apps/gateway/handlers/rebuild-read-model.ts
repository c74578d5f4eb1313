/**
 * `OpsService.RebuildReadModel`: the region's state-query rebuilds, the coordinator audits what came of it. A rebuild
 * that outlasts the call goes on, and the same request again tells how it ended.
 */
import type { HandlerContext } from "@connectrpc/connect";
import type { RebuildReadModelRequest, RebuildReadModelResponse } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { apiError, type ServiceDirectory } from "@ridegrid/rpc";
import type { Regions } from "@ridegrid/spatial";
import { ask } from "../dependency.ts";

export type RebuildReadModelDeps = { readonly regions: Regions; readonly directory: ServiceDirectory };

export async function rebuildReadModel(
  { regions, directory }: RebuildReadModelDeps,
  command: RebuildReadModelRequest,
  context: HandlerContext,
): Promise<RebuildReadModelResponse> {
  const { region, model, requestId, reason } = command;
  if (!regions.all.some(({ id }) => id === region)) throw apiError("FIELD_INVALID", `There is no region "${region}"`, { field: "region" });
  const { result } = await ask(context, (options) => directory.state(region).rebuildReadModel({ command }, options));
  if (result === undefined) throw apiError("REQUEST_IN_FLIGHT", `The ${model} of region "${region}" are being rebuilt; ask again with the same request id`);
  const { hashBefore, hashAfter, rows, startedFrom } = result;
  const act = {
    requestId,
    reason,
    method: "RebuildReadModel",
    subject: region,
    before: hashBefore,
    after: `${hashAfter}, ${rows} ${model} from the ${startedFrom}`,
  };
  await ask(context, (options) => directory.coordinator().recordOperatorAct(act, options));
  return result;
}
