/**
 * Locks a ride, then the driver of its live offer, then reads the clock: three statements in one round trip, each
 * with a snapshot of its own, so that the clock is read after the locks were got. Nothing is locked without a claim.
 */
import type { OfferStatus } from "@ridegrid/domain";
import type { Queryable } from "@ridegrid/eventlog";
import { type DriverRow, driverColumns, driverFromRow } from "./driver-row.ts";
import { rideFactColumns, rideFromRow, type RideRow, rideStateColumns } from "./ride-row.ts";
import { claimedSql } from "./request-store.postgres.ts";
import type { LoadedRide, RideTarget } from "./ride-store.ts";

export const rideColumnList: string = [...Object.keys(rideFactColumns), ...Object.keys(rideStateColumns)].join(", ");
export const driverColumnList: string = Object.keys(driverColumns).join(", ");

type LockedRide = RideRow & { readonly pin_failures: number };

export async function lockRide(tx: Queryable, target: RideTarget): Promise<LoadedRide> {
  const { rideIdSql, parameters } = targetSql(target);
  const [rides, drivers, clocks, offers] = await Promise.all([
    query<LockedRide>(tx, `SELECT ${rideColumnList}, pin_failures FROM ride WHERE ride_id = ${rideIdSql} AND ${claimedSql} FOR UPDATE`, parameters),
    query<DriverRow>(
      tx,
      `SELECT ${driverColumnList} FROM driver
       WHERE driver_id = (SELECT driver_id FROM ride WHERE ride_id = ${rideIdSql} AND offer_id IS NOT NULL) AND ${claimedSql} FOR UPDATE`,
      parameters,
    ),
    readClock(tx),
    target.kind === "offer" ? query<{ status: string }>(tx, "SELECT status FROM offer WHERE offer_id = $1", [target.offerId]) : [],
  ]);
  const ride = rides[0];
  const driver = drivers[0];
  return {
    ride: ride === undefined ? null : rideFromRow(ride),
    driver: driver === undefined ? null : driverFromRow(driver),
    pinFailures: ride?.pin_failures ?? 0,
    offerStatus: (offers[0]?.status ?? null) as OfferStatus | null,
    nowMs: nowOf(clocks),
  };
}

/** Another driver's offer leads to no ride, and so looks like none. */
function targetSql(target: RideTarget): { readonly rideIdSql: string; readonly parameters: readonly string[] } {
  return target.kind === "ride"
    ? { rideIdSql: "$1", parameters: [target.rideId] }
    : { rideIdSql: "(SELECT ride_id FROM offer WHERE offer_id = $1 AND driver_id = $2)", parameters: [target.offerId, target.driverId] };
}

/**
 * Whole milliseconds: what is decided with is what is stored. Not `async`: as a query it is sent in its turn among those it
 * is awaited with, after the locks.
 */
export function readClock(tx: Queryable) {
  return tx<{ now: Date }[]>`SELECT date_trunc('milliseconds', clock_timestamp()) AS now`;
}

export function nowOf(clocks: readonly { readonly now: Date }[]): number {
  const now = clocks[0]?.now;
  if (now === undefined) throw new Error("Cannot decide: the database's clock gave no answer");
  return now.getTime();
}

/** A statement whose text is fixed when the module loads: prepared once for each connection. */
export function query<Row extends object>(tx: Queryable, statement: string, parameters: readonly string[]): Promise<readonly Row[]> {
  return tx.unsafe<Row[]>(statement, [...parameters], { prepare: true });
}
