/** A rider cancels before the trip; late, it costs the market's fee. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { cancelReasonFromWire, rideToWire } from "@ridegrid/contracts";
import { CancelRideResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { CancelRideRequestSchema } from "@ridegrid/contracts/gen/rider/v1/rider_service_pb";
import { rideId, riderId } from "@ridegrid/domain";
import { callerAs, causeOf, given, lower } from "../request-facts.ts";
import { requestKey } from "../request-key.ts";
import { answerOf } from "../ride-answer.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

export function cancelRide({ store }: HandlerDeps): CoordinatorImpl["cancelRide"] {
  return async (request, context) => {
    const caller = callerAs(context, "rider");
    const command = given(request.command, "command");
    const outcome = await store.changeRide({
      request: requestKey(caller, "CancelRide", CancelRideRequestSchema, command),
      cause: causeOf(context, command.requestId),
      target: { kind: "ride", rideId: rideId(lower(command.rideId)) },
      command: () => ({ type: "CancelRide", by: { party: "rider", riderId: riderId(caller.principal) }, reason: cancelReasonFromWire(command.reason) }),
      answer: ({ ride }) => toBinary(CancelRideResponseSchema, create(CancelRideResponseSchema, { ride: rideToWire(ride) })),
    });
    return fromBinary(CancelRideResponseSchema, answerOf(outcome));
  };
}
