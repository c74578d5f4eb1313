/** An operator ends a ride in progress, with a reason: the rider is charged the locked quote. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { rideToWire } from "@ridegrid/contracts";
import { OperatorCompleteRideResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { CompleteRideRequestSchema } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { rideId } from "@ridegrid/domain";
import { auditOf } from "../audit.ts";
import { callerAs, causeOf, given, lower } from "../request-facts.ts";
import { requestKey } from "../request-key.ts";
import { answerOf } from "../ride-answer.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

export function operatorCompleteRide({ store }: HandlerDeps): CoordinatorImpl["operatorCompleteRide"] {
  return async (request, context) => {
    const caller = callerAs(context, "operator");
    const command = given(request.command, "command");
    const outcome = await store.changeRide({
      request: requestKey(caller, "OperatorCompleteRide", CompleteRideRequestSchema, command),
      cause: causeOf(context, command.requestId),
      target: { kind: "ride", rideId: rideId(lower(command.rideId)) },
      command: () => ({ type: "CompleteRide", by: { party: "operator", note: command.reason } }),
      audit: (change) => auditOf(change, { principal: caller.principal, method: "CompleteRide", reason: command.reason }),
      answer: ({ ride }) => toBinary(OperatorCompleteRideResponseSchema, create(OperatorCompleteRideResponseSchema, { ride: rideToWire(ride) })),
    });
    return fromBinary(OperatorCompleteRideResponseSchema, answerOf(outcome));
  };
}
