/** An operator unlocks a ride's PIN after too many wrong tries. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { rideToWire } from "@ridegrid/contracts";
import { ResetPinTriesResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { ResetPinTriesRequestSchema } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { callerAs, given, lower } from "../request-facts.ts";
import { requestKey } from "../request-key.ts";
import { answerOf } from "../ride-answer.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

export function resetPinTries({ operators }: HandlerDeps): CoordinatorImpl["resetPinTries"] {
  return async (request, context) => {
    const caller = callerAs(context, "operator");
    const command = given(request.command, "command");
    const outcome = await operators.resetPinTries(lower(command.rideId), {
      request: requestKey(caller, "ResetPinTries", ResetPinTriesRequestSchema, command),
      principal: caller.principal,
      method: "ResetPinTries",
      reason: command.reason,
      answer: (ride) => toBinary(ResetPinTriesResponseSchema, create(ResetPinTriesResponseSchema, { ride: rideToWire(ride) })),
    });
    return fromBinary(ResetPinTriesResponseSchema, answerOf(outcome));
  };
}
