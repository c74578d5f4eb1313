/** One ride from the primary, for those who may see it; to others there is no such ride. */
import { create } from "@bufbuild/protobuf";
import { rideToWire } from "@ridegrid/contracts";
import { GetRideResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { type Ride, rideDriver } from "@ridegrid/domain";
import { apiError, type Caller, callerOf } from "@ridegrid/rpc";
import { readRide } from "../read-ride.postgres.ts";
import { lower } from "../request-facts.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

export function getRide({ sql }: HandlerDeps): CoordinatorImpl["getRide"] {
  return async (request, context) => {
    const ride = await readRide(sql, lower(request.rideId));
    if (ride === null || !maySee(callerOf(context), ride)) throw apiError("RIDE_NOT_FOUND", `Ride "${request.rideId}" was not found`);
    return create(GetRideResponseSchema, { ride: rideToWire(ride) });
  };
}

/** A pending offer makes nobody the ride's driver. */
function maySee({ principal, role }: Caller, ride: Ride): boolean {
  if (role === "rider") return ride.riderId === principal;
  if (role === "driver") return ride.status !== "offered" && rideDriver(ride) === principal;
  return true;
}
