/** A driver takes an offer: it becomes the assignment. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { rideToWire } from "@ridegrid/contracts";
import { AcceptOfferResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { AcceptOfferRequestSchema } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { driverId, offerId } from "@ridegrid/domain";
import { callerAs, causeOf, given, lower } from "../request-facts.ts";
import { requestKey } from "../request-key.ts";
import { answerOf } from "../ride-answer.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

export function acceptOffer({ store }: HandlerDeps): CoordinatorImpl["acceptOffer"] {
  return async (request, context) => {
    const caller = callerAs(context, "driver");
    const command = given(request.command, "command");
    const driver = driverId(caller.principal);
    const offer = offerId(lower(command.offerId));
    const outcome = await store.changeRide({
      request: requestKey(caller, "AcceptOffer", AcceptOfferRequestSchema, command),
      cause: causeOf(context, command.requestId),
      target: { kind: "offer", offerId: offer, driverId: driver },
      command: ({ offerStatus }) => ({ type: "AcceptOffer", driverId: driver, offerId: offer, offerStatus }),
      answer: ({ ride }) => toBinary(AcceptOfferResponseSchema, create(AcceptOfferResponseSchema, { ride: rideToWire(ride) })),
    });
    return fromBinary(AcceptOfferResponseSchema, answerOf(outcome));
  };
}
