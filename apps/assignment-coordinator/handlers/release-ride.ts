/** A driver gives a ride back before the trip, or cancels it because the rider did not come. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { cancelReasonFromWire, rideToWire } from "@ridegrid/contracts";
import { ReleaseRideResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { CancelRideRequestSchema } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { driverId, rideId } from "@ridegrid/domain";
import { callerAs, causeOf, given, lower } from "../request-facts.ts";
import { requestKey } from "../request-key.ts";
import { answerOf } from "../ride-answer.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

export function releaseRide({ store }: HandlerDeps): CoordinatorImpl["releaseRide"] {
  return async (request, context) => {
    const caller = callerAs(context, "driver");
    const command = given(request.command, "command");
    const driver = driverId(caller.principal);
    const outcome = await store.changeRide({
      request: requestKey(caller, "ReleaseRide", CancelRideRequestSchema, command),
      cause: causeOf(context, command.requestId),
      target: { kind: "ride", rideId: rideId(lower(command.rideId)) },
      command: () => ({ type: "ReleaseRide", driverId: driver, reason: cancelReasonFromWire(command.reason) }),
      answer: ({ ride }) => toBinary(ReleaseRideResponseSchema, create(ReleaseRideResponseSchema, { ride: rideToWire(ride) })),
    });
    return fromBinary(ReleaseRideResponseSchema, answerOf(outcome));
  };
}
