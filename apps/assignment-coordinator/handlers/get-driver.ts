/** One driver from the primary, with the open ride if there is one. Drivers see themselves only. */
import { create } from "@bufbuild/protobuf";
import { driverToWire } from "@ridegrid/contracts";
import { GetDriverResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { apiError, callerOf } from "@ridegrid/rpc";
import { readDriver, readRide } from "../read-ride.postgres.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

export function getDriver({ sql }: HandlerDeps): CoordinatorImpl["getDriver"] {
  return async (request, context) => {
    const { principal, role } = callerOf(context);
    if (role === "rider" || (role === "driver" && principal !== request.driverId)) throw apiError("ROLE_NOT_ALLOWED", "Cannot read another driver");
    // One snapshot: the driver and the ride belong together.
    const { driver, ride } = await sql.begin("isolation level repeatable read read only", async (tx) => {
      const found = await readDriver(tx, request.driverId);
      return { driver: found, ride: found.rideId === null ? null : await readRide(tx, found.rideId) };
    });
    return create(GetDriverResponseSchema, { driver: driverToWire(driver, ride) });
  };
}
