/** A quote becomes a ride. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { rideToWire } from "@ridegrid/contracts";
import { RequestRideResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { RequestRideRequestSchema } from "@ridegrid/contracts/gen/rider/v1/rider_service_pb";
import { quoteId, riderId } from "@ridegrid/domain";
import { callerAs, causeOf, given, lower } from "../request-facts.ts";
import { requestKey } from "../request-key.ts";
import { answerOf } from "../ride-answer.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

export function requestRide({ store }: HandlerDeps): CoordinatorImpl["requestRide"] {
  return async (request, context) => {
    const caller = callerAs(context, "rider");
    const command = given(request.command, "command");
    const outcome = await store.requestRide({
      request: requestKey(caller, "RequestRide", RequestRideRequestSchema, command),
      cause: causeOf(context, command.requestId),
      riderId: riderId(caller.principal),
      quoteId: quoteId(lower(command.quoteId)),
      answer: ({ ride }) => toBinary(RequestRideResponseSchema, create(RequestRideResponseSchema, { ride: rideToWire(ride) })),
    });
    return fromBinary(RequestRideResponseSchema, answerOf(outcome));
  };
}
