/** An operator gives a lost region's markets to its neighbor; never a lapsed lease alone does. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { TakeOverRegionResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { TakeOverRegionRequestSchema } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { apiError } from "@ridegrid/rpc";
import { callerAs, given } from "../request-facts.ts";
import { requestKey } from "../request-key.ts";
import { answerOf } from "../ride-answer.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

export function takeOverRegion({ operators, regions }: HandlerDeps): CoordinatorImpl["takeOverRegion"] {
  return async (request, context) => {
    const caller = callerAs(context, "operator");
    const command = given(request.command, "command");
    const { region, reason } = command;
    const lost = regions.all.find(({ id }) => id === region);
    if (lost === undefined) throw apiError("FIELD_INVALID", `Region "${region}" is none of the platform's`, { field: "region" });
    if (lost.neighbor === region) throw apiError("FIELD_INVALID", `Cannot take over region "${region}": it has no neighbor`, { field: "region" });
    const outcome = await operators.takeOver(region, {
      request: requestKey(caller, "TakeOverRegion", TakeOverRegionRequestSchema, command),
      principal: caller.principal,
      method: "TakeOverRegion",
      reason,
      answer: ({ openRides }) => toBinary(TakeOverRegionResponseSchema, create(TakeOverRegionResponseSchema, { openRides })),
    });
    return fromBinary(TakeOverRegionResponseSchema, answerOf(outcome));
  };
}
