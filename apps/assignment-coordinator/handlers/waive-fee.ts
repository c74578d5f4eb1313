/** An operator gives a cancellation fee back, by a transfer of its own. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { moneyToWire, rideToWire } from "@ridegrid/contracts";
import { WaiveFeeResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { WaiveFeeRequestSchema, WaiveFeeResponseSchema as ResultSchema } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { callerAs, given, lower } from "../request-facts.ts";
import { requestKey } from "../request-key.ts";
import { answerOf } from "../ride-answer.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

export function waiveFee({ operators }: HandlerDeps): CoordinatorImpl["waiveFee"] {
  return async (request, context) => {
    const caller = callerAs(context, "operator");
    const command = given(request.command, "command");
    const outcome = await operators.waiveFee(lower(command.rideId), {
      request: requestKey(caller, "WaiveFee", WaiveFeeRequestSchema, command),
      principal: caller.principal,
      method: "WaiveFee",
      reason: command.reason,
      answer: ({ ride, waived }) =>
        toBinary(
          WaiveFeeResponseSchema,
          create(WaiveFeeResponseSchema, { result: create(ResultSchema, { ride: rideToWire(ride), waived: moneyToWire(waived) }) }),
        ),
    });
    return fromBinary(WaiveFeeResponseSchema, answerOf(outcome));
  };
}
