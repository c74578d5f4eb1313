/** Where rides and drivers are at home, so that reads and streams go to the right region. */
import { create } from "@bufbuild/protobuf";
import { LocateDriverResponseSchema, LocateRideResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { apiError } from "@ridegrid/rpc";
import { lower } from "../request-facts.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

export function locateRide({ sql }: HandlerDeps): CoordinatorImpl["locateRide"] {
  return async ({ rideId }) => {
    const rows = await sql<
      { homeRegion: string; marketId: string }[]
    >`SELECT home_region AS "homeRegion", market_id AS "marketId" FROM ride WHERE ride_id = ${lower(rideId)}`;
    if (rows[0] === undefined) throw apiError("RIDE_NOT_FOUND", `Ride "${rideId}" was not found`);
    return create(LocateRideResponseSchema, rows[0]);
  };
}

export function locateDriver({ sql }: HandlerDeps): CoordinatorImpl["locateDriver"] {
  return async ({ driverId }) => {
    const rows = await sql<{ homeRegion: string | null }[]>`SELECT home_region AS "homeRegion" FROM driver WHERE driver_id = ${driverId}`;
    return create(LocateDriverResponseSchema, { homeRegion: rows[0]?.homeRegion ?? "" });
  };
}
