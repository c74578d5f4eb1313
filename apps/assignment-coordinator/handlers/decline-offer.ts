/** A driver turns an offer down: the ride is matched again, without that driver. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { DeclineOfferResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { DeclineOfferRequestSchema } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { driverId, offerId } from "@ridegrid/domain";
import { callerAs, causeOf, given, lower } from "../request-facts.ts";
import { requestKey } from "../request-key.ts";
import { answerOf } from "../ride-answer.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

export function declineOffer({ store }: HandlerDeps): CoordinatorImpl["declineOffer"] {
  return async (request, context) => {
    const caller = callerAs(context, "driver");
    const command = given(request.command, "command");
    const driver = driverId(caller.principal);
    const offer = offerId(lower(command.offerId));
    const outcome = await store.changeRide({
      request: requestKey(caller, "DeclineOffer", DeclineOfferRequestSchema, command),
      cause: causeOf(context, command.requestId),
      target: { kind: "offer", offerId: offer, driverId: driver },
      command: ({ offerStatus }) => ({ type: "DeclineOffer", driverId: driver, offerId: offer, offerStatus, goingOffline: false }),
      answer: () => toBinary(DeclineOfferResponseSchema, create(DeclineOfferResponseSchema, {})),
    });
    return fromBinary(DeclineOfferResponseSchema, answerOf(outcome));
  };
}
