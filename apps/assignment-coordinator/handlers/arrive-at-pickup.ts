/** A driver waits at the pickup: by the location in the request, or by the last position that matching knows. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { latLngFromWire, rideToWire } from "@ridegrid/contracts";
import { ArriveAtPickupRequestSchema } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { ArriveAtPickupResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { type DriverId, driverId, haversineMeters, type LatLng, type RideId, rideId } from "@ridegrid/domain";
import { asService } from "@ridegrid/rpc";
import { lastPositionMaxAgeMs, matchingAnswerMs } from "../limits.ts";
import { readRide } from "../read-ride.postgres.ts";
import { callerAs, causeOf, given, lower } from "../request-facts.ts";
import { requestKey } from "../request-key.ts";
import { answerOf } from "../ride-answer.ts";
import { type CoordinatorImpl, type HandlerDeps, serviceName } from "./handler.ts";

export function arriveAtPickup(deps: HandlerDeps): CoordinatorImpl["arriveAtPickup"] {
  return async (request, context) => {
    const caller = callerAs(context, "driver");
    const command = given(request.command, "command");
    const driver = driverId(caller.principal);
    const ride = rideId(lower(command.rideId));
    // Asked before the transaction: no lock is held while another service thinks.
    const at = command.location === undefined ? await lastPosition(deps, ride, driver) : latLngFromWire(command.location, "location");
    const outcome = await deps.store.changeRide({
      request: requestKey(caller, "ArriveAtPickup", ArriveAtPickupRequestSchema, command),
      cause: causeOf(context, command.requestId),
      target: { kind: "ride", rideId: ride },
      command: (loaded) => ({
        type: "ArriveAtPickup",
        driverId: driver,
        metersFromPickup: at === null || loaded.ride === null ? null : haversineMeters(at, loaded.ride.pickup),
      }),
      answer: (change) => toBinary(ArriveAtPickupResponseSchema, create(ArriveAtPickupResponseSchema, { ride: rideToWire(change.ride) })),
    });
    return fromBinary(ArriveAtPickupResponseSchema, answerOf(outcome));
  };
}

/** Null when matching does not answer, knows none, or knows only an old one. */
async function lastPosition({ sql, directory }: HandlerDeps, id: RideId, driver: DriverId): Promise<LatLng | null> {
  const ride = await readRide(sql, id);
  if (ride === null) return null;
  const options = asService(serviceName, { timeoutMs: matchingAnswerMs });
  const answer = await directory
    .matching(ride.homeRegion)
    .lastPosition({ marketId: ride.marketId, driverId: driver }, options)
    .catch(() => null);
  if (answer?.location === undefined || Number(answer.ageMs) > lastPositionMaxAgeMs) return null;
  return latLngFromWire(answer.location, "location");
}
