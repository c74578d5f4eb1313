/** An operator stops new rides and shifts of a region, or lets them in again; what is open ends normally. */
import { create, type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { DrainRegionResponseSchema, UndrainRegionResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { DrainRegionRequestSchema, UndrainRegionRequestSchema } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { apiError } from "@ridegrid/rpc";
import { callerAs, given } from "../request-facts.ts";
import { requestKey } from "../request-key.ts";
import { answerOf } from "../ride-answer.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

export function drainRegion(deps: HandlerDeps): CoordinatorImpl["drainRegion"] {
  return async (request, context) => {
    const command = given(request.command, "command");
    await setDraining(deps, context, { method: "DrainRegion", schema: DrainRegionRequestSchema, command, draining: true });
    return create(DrainRegionResponseSchema);
  };
}

export function undrainRegion(deps: HandlerDeps): CoordinatorImpl["undrainRegion"] {
  return async (request, context) => {
    const command = given(request.command, "command");
    await setDraining(deps, context, { method: "UndrainRegion", schema: UndrainRegionRequestSchema, command, draining: false });
    return create(UndrainRegionResponseSchema);
  };
}

type Switch<Desc extends DescMessage> = {
  readonly method: "DrainRegion" | "UndrainRegion";
  readonly schema: Desc;
  readonly command: MessageShape<Desc> & { requestId: string; reason: string; region: string };
  readonly draining: boolean;
};

async function setDraining<Desc extends DescMessage>(
  { operators, regions }: HandlerDeps,
  context: HandlerContext,
  { method, schema, command, draining }: Switch<Desc>,
): Promise<void> {
  const caller = callerAs(context, "operator");
  const { region, reason } = command;
  if (!regions.all.some(({ id }) => id === region)) throw apiError("FIELD_INVALID", `Region "${region}" is none of the platform's`, { field: "region" });
  const answer = (): Uint8Array => toBinary(DrainRegionResponseSchema, create(DrainRegionResponseSchema));
  answerOf(
    await operators.setDraining(region, draining, {
      request: requestKey(caller, method, schema, command),
      principal: caller.principal,
      method,
      reason,
      answer,
    }),
  );
}
