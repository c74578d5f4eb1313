/** Reads of single rides and drivers from the primary, without locks. */
import { driverId, type Driver, newDriver, type Ride } from "@ridegrid/domain";
import type { Queryable } from "@ridegrid/eventlog";
import { type DriverRow, driverFromRow } from "./driver-row.ts";
import { rideFromRow, type RideRow } from "./ride-row.ts";

export async function readRide(sql: Queryable, rideId: string): Promise<Ride | null> {
  const rows = await sql<RideRow[]>`SELECT * FROM ride WHERE ride_id = ${rideId}`;
  return rows[0] === undefined ? null : rideFromRow(rows[0]);
}

/** A driver never seen is offline at version 0. */
export async function readDriver(sql: Queryable, id: string): Promise<Driver> {
  const rows = await sql<DriverRow[]>`SELECT * FROM driver WHERE driver_id = ${id}`;
  return rows[0] === undefined ? newDriver(driverId(id)) : driverFromRow(rows[0]);
}
