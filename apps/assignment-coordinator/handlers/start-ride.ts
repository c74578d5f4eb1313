/** The trip begins with the rider's PIN; a wrong one is counted on the ride. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { rideToWire } from "@ridegrid/contracts";
import { StartRideResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { StartRideRequestSchema } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { driverId, rideId } from "@ridegrid/domain";
import { callerAs, causeOf, given, lower } from "../request-facts.ts";
import { requestKey } from "../request-key.ts";
import { answerOf } from "../ride-answer.ts";
import { pinMatches as matches } from "../pin-check.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

export function startRide({ pinSecret, store }: HandlerDeps): CoordinatorImpl["startRide"] {
  return async (request, context) => {
    const caller = callerAs(context, "driver");
    const command = given(request.command, "command");
    const driver = driverId(caller.principal);
    const pinMatches = matches({ pinSecret, rideId: lower(command.rideId), pin: command.pin });
    const outcome = await store.changeRide({
      request: requestKey(caller, "StartRide", StartRideRequestSchema, command),
      cause: causeOf(context, command.requestId),
      target: { kind: "ride", rideId: rideId(lower(command.rideId)) },
      command: ({ pinFailures }) => ({ type: "StartRide", driverId: driver, pinMatches, pinFailures }),
      answer: ({ ride }) => toBinary(StartRideResponseSchema, create(StartRideResponseSchema, { ride: rideToWire(ride) })),
    });
    return fromBinary(StartRideResponseSchema, answerOf(outcome));
  };
}
