/** Everything matching must know of one partition, in one snapshot: open rides and drivers on shift, with versions. */
import { create } from "@bufbuild/protobuf";
import { driverToWire, openRideToWire, timestampFromMs } from "@ridegrid/contracts";
import { ListOpenWorkResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { apiError } from "@ridegrid/rpc";
import { driverFromRow, type DriverRow } from "../driver-row.ts";
import { openWorkRowsMax } from "../limits.ts";
import { databaseNowMs } from "../read-clock.postgres.ts";
import { rideFromRow, type RideRow } from "../ride-row.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

export function listOpenWork({ sql }: HandlerDeps): CoordinatorImpl["listOpenWork"] {
  return async ({ region, partition }) => {
    const [rides, drivers, nowMs] = await sql.begin("isolation level repeatable read read only", (tx) =>
      Promise.all([
        tx<RideRow[]>`
          SELECT * FROM ride WHERE home_region = ${region} AND partition = ${partition}
            AND status IN ('requested', 'offered', 'assigned', 'arrived', 'in_progress') LIMIT ${openWorkRowsMax}`,
        tx<DriverRow[]>`SELECT * FROM driver WHERE home_region = ${region} AND partition = ${partition} AND on_shift LIMIT ${openWorkRowsMax}`,
        databaseNowMs(tx),
      ]),
    );
    // Half a snapshot would be matched as if it were whole.
    if (rides.length === openWorkRowsMax || drivers.length === openWorkRowsMax)
      throw apiError("OVERLOADED", `Partition ${region}/${partition} has ${openWorkRowsMax} rows or more: it must be split`);
    return create(ListOpenWorkResponseSchema, {
      rides: rides.map((row) => openRideToWire(rideFromRow(row))),
      drivers: drivers.map((row) => driverToWire(driverFromRow(row), null)),
      asOf: timestampFromMs(nowMs),
    });
  };
}
