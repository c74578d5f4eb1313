/** An operator cancels any open ride, with a reason; it never costs the rider. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { rideToWire } from "@ridegrid/contracts";
import { OperatorCancelRideResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { CancelRideRequestSchema } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { rideId } from "@ridegrid/domain";
import { auditOf } from "../audit.ts";
import { callerAs, causeOf, given, lower } from "../request-facts.ts";
import { requestKey } from "../request-key.ts";
import { answerOf } from "../ride-answer.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

export function operatorCancelRide({ store }: HandlerDeps): CoordinatorImpl["operatorCancelRide"] {
  return async (request, context) => {
    const caller = callerAs(context, "operator");
    const command = given(request.command, "command");
    const outcome = await store.changeRide({
      request: requestKey(caller, "OperatorCancelRide", CancelRideRequestSchema, command),
      cause: causeOf(context, command.requestId),
      target: { kind: "ride", rideId: rideId(lower(command.rideId)) },
      command: () => ({ type: "CancelRide", by: { party: "operator" }, reason: "other" }),
      audit: (change) => auditOf(change, { principal: caller.principal, method: "CancelRide", reason: command.reason }),
      answer: ({ ride }) => toBinary(OperatorCancelRideResponseSchema, create(OperatorCancelRideResponseSchema, { ride: rideToWire(ride) })),
    });
    return fromBinary(OperatorCancelRideResponseSchema, answerOf(outcome));
  };
}
