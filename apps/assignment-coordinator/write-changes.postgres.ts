/**
 * Writes what was decided: rides, drivers, their offers, the money due and outbox rows, all sent at once.
 *
 * The caller holds the rows' locks; outbox rows are inserted after them and so keep each ride's and driver's order.
 */
import type { Driver, Ride } from "@ridegrid/domain";
import { outboxInsert } from "@ridegrid/eventlog";
import { type Cause, type Change, offerAfter, outboxRowsOf, type RideChange } from "./change.ts";
import { type DriverRow, driverColumnNames, driverToRow } from "./driver-row.ts";
import { transferOf } from "./ledger.ts";
import { writeOfTransfers } from "./ledger.postgres.ts";
import { rideFactNames, type RideRow, rideStateNames, rideToRow } from "./ride-row.ts";
import type { Tx } from "./tx.ts";
import { valuesOf, type Write, writeTogether } from "./write-together.ts";

export type CausedChange = { readonly change: Change; readonly cause: Cause };

export async function writeChanges(tx: Tx, changes: readonly CausedChange[], nextId: () => string): Promise<void> {
  await writeTogether(tx, writesOf(changes, nextId));
}

/** In the order of `changes`; of a ride or driver changed twice the last state is written, and every event is published. */
export function writesOf(changes: readonly CausedChange[], nextId: () => string): readonly Write[] {
  const rideChanges = changes.flatMap(({ change }) => (change.kind === "ride" ? [change] : []));
  const drivers = lastOf(
    changes.flatMap(({ change }) => (change.driver === null ? [] : [change.driver])),
    (driver) => driver.driverId,
  );
  const created = rideChanges.filter(({ before }) => before === null).map(({ ride }) => ride);
  const updated = lastOf(
    rideChanges.filter(({ before }) => before !== null).map(({ ride }) => ride),
    (ride) => ride.rideId,
  );
  const transfers = changes.flatMap(({ change }) => transferOf(change) ?? []);
  const rows = changes.flatMap(({ change, cause }) => outboxRowsOf(change, cause, nextId));
  return [
    ...created.map(newRide),
    ...updated.map(changedRide),
    ...drivers.map(changedDriver),
    ...rideChanges.flatMap(changedOffer),
    ...writeOfTransfers(transfers, nextId),
    ...outboxInsert(rows),
  ];
}

const rideNames = [...rideFactNames, ...rideStateNames];
const newRideSql = `INSERT INTO ride (${rideNames.join(", ")}) VALUES (${rideNames.map((_, index) => `$${index + 1}`).join(", ")})`;
const changedRideSql = `UPDATE ride SET ${assignments(rideStateNames)} WHERE ride_id = $${rideStateNames.length + 1}`;
const driverStateNames = driverColumnNames.filter((name) => name !== "driver_id");
const changedDriverSql = `UPDATE driver SET ${assignments(driverStateNames)} WHERE driver_id = $${driverStateNames.length + 1}`;
const changedOfferSql = `
  UPDATE offer SET status = $2, end_time = CASE WHEN $2 = 'accepted' THEN NULL ELSE $3::timestamptz END,
    accept_time = CASE WHEN $2 = 'accepted' THEN coalesce(accept_time, $3::timestamptz) ELSE accept_time END
  WHERE offer_id = $1 AND status <> $2`;

function assignments(names: readonly string[]): string {
  return names.map((name, index) => `${name} = $${index + 1}`).join(", ");
}

function newRide(ride: Ride): Write {
  return { name: "new-ride", sql: newRideSql, values: valuesOf<RideRow>(rideToRow(ride), rideNames) };
}

function changedRide(ride: Ride): Write {
  return { name: "ride", sql: changedRideSql, values: valuesOf<RideRow>(rideToRow(ride), [...rideStateNames, "ride_id"]) };
}

function changedDriver(driver: Driver): Write {
  return { name: "driver", sql: changedDriverSql, values: valuesOf<DriverRow>(driverToRow(driver), [...driverStateNames, "driver_id"]) };
}

/** Offers begin only in the guard's statement; here they are answered or end. Arriving and starting leave them as they are. */
function changedOffer({ before, event }: RideChange): readonly Write[] {
  const { type } = event.body;
  const offer = type === "DriverArrived" || type === "RideStarted" ? null : offerAfter(before, event);
  if (offer?.status === "pending") throw new Error(`Cannot write ${type} of ride "${event.rideId}": only the guard makes offers`);
  if (offer === null) return [];
  return [{ name: "offer", sql: changedOfferSql, values: [offer.offerId, offer.status, new Date(event.occurredAtMs).toISOString()] }];
}

function lastOf<T>(items: readonly T[], key: (item: T) => string): readonly T[] {
  return [...new Map(items.map((item) => [key(item), item])).values()];
}
