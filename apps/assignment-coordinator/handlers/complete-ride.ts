/** The trip is over: the rider is charged the locked quote. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { rideToWire } from "@ridegrid/contracts";
import { CompleteRideResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { CompleteRideRequestSchema } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { driverId, rideId } from "@ridegrid/domain";
import { callerAs, causeOf, given, lower } from "../request-facts.ts";
import { requestKey } from "../request-key.ts";
import { answerOf } from "../ride-answer.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

export function completeRide({ store }: HandlerDeps): CoordinatorImpl["completeRide"] {
  return async (request, context) => {
    const caller = callerAs(context, "driver");
    const command = given(request.command, "command");
    const driver = driverId(caller.principal);
    const outcome = await store.changeRide({
      request: requestKey(caller, "CompleteRide", CompleteRideRequestSchema, command),
      cause: causeOf(context, command.requestId),
      target: { kind: "ride", rideId: rideId(lower(command.rideId)) },
      command: () => ({ type: "CompleteRide", by: { party: "driver", driverId: driver } }),
      answer: ({ ride }) => toBinary(CompleteRideResponseSchema, create(CompleteRideResponseSchema, { ride: rideToWire(ride) })),
    });
    return fromBinary(CompleteRideResponseSchema, answerOf(outcome));
  };
}
