/**
 * Writes what was decided: rides, drivers, their offers, the money due and outbox rows, each kind in one statement, all sent at once.
 *
 * The caller holds the rows' locks; outbox rows are inserted after them and so keep each ride's and driver's order.
 */
import type { Driver, Ride } from "@ridegrid/domain";
import { appendOutbox } from "@ridegrid/eventlog";
import type { Tx } from "./tx.ts";
import { type Cause, type Change, offerAfter, outboxRowsOf, type RideChange } from "./change.ts";
import { transferOf } from "./ledger.ts";
import { writeTransfers } from "./ledger.postgres.ts";
import { driverColumns, driverToRow } from "./driver-row.ts";
import { rideFactColumns, rideStateColumns, rideToRow } from "./ride-row.ts";

export type CausedChange = { readonly change: Change; readonly cause: Cause };

/** In the order of `changes`; of a ride or driver changed twice the last state is written, and every event is published. */
export async function writeChanges(tx: Tx, changes: readonly CausedChange[], nextId: () => string): Promise<void> {
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
  // Sent without waiting in between: one round trip. The first failure rejects; the rest fail with it.
  await Promise.all([
    ...insertRides(tx, created),
    ...updateRides(tx, updated),
    ...updateDrivers(tx, drivers),
    ...updateOffers(tx, rideChanges),
    writeTransfers(
      tx,
      changes.flatMap(({ change }) => transferOf(change) ?? []),
      nextId,
    ),
    appendOutbox(
      tx,
      changes.flatMap(({ change, cause }) => outboxRowsOf(change, cause, nextId)),
    ),
  ]);
}

const factNames = Object.keys(rideFactColumns);
const stateNames = Object.keys(rideStateColumns);
const driverNames = Object.keys(driverColumns);

const insertRideSql = `
  INSERT INTO ride (${[...factNames, ...stateNames].join(", ")})
  SELECT ${[...factNames, ...stateNames].join(", ")} FROM ${recordset({ ...rideFactColumns, ...rideStateColumns })}`;
const updateRideSql = `
  UPDATE ride SET ${stateNames.map((name) => `${name} = changed.${name}`).join(", ")}
  FROM ${recordset({ ride_id: "uuid", ...rideStateColumns })} WHERE ride.ride_id = changed.ride_id`;
const updateDriverSql = `
  UPDATE driver SET ${driverNames
    .filter((name) => name !== "driver_id")
    .map((name) => `${name} = changed.${name}`)
    .join(", ")}
  FROM ${recordset(driverColumns)} WHERE driver.driver_id = changed.driver_id`;

const updateOfferSql = `
  UPDATE offer SET status = changed.status,
    accept_time = CASE WHEN changed.status = 'accepted' THEN coalesce(accept_time, changed.occur_time) ELSE accept_time END,
    end_time = CASE WHEN changed.status = 'accepted' THEN NULL ELSE changed.occur_time END
  FROM ${recordset({ offer_id: "uuid", status: "text", occur_time: "timestamptz" })}
  WHERE offer.offer_id = changed.offer_id AND offer.status <> changed.status`;

function insertRides(tx: Tx, rides: readonly Ride[]): readonly Promise<unknown>[] {
  return rides.length === 0 ? [] : [run(tx, insertRideSql, rides.map(rideToRow))];
}

function updateRides(tx: Tx, rides: readonly Ride[]): readonly Promise<unknown>[] {
  return rides.length === 0 ? [] : [run(tx, updateRideSql, rides.map(rideToRow))];
}

function updateDrivers(tx: Tx, drivers: readonly Driver[]): readonly Promise<unknown>[] {
  return drivers.length === 0 ? [] : [run(tx, updateDriverSql, drivers.map(driverToRow))];
}

/** Offers begin only in the guard's statement; here they are answered or end. */
function updateOffers(tx: Tx, changes: readonly RideChange[]): readonly Promise<unknown>[] {
  const moved = changes.flatMap(({ before, event }) => {
    const offer = offerAfter(before, event);
    if (offer?.status === "pending") throw new Error(`Cannot write ${event.body.type} of ride "${event.rideId}": only the guard makes offers`);
    return offer === null ? [] : [{ offer_id: offer.offerId, status: offer.status, occur_time: new Date(event.occurredAtMs) }];
  });
  return moved.length === 0 ? [] : [run(tx, updateOfferSql, moved)];
}

/** A batch as one JSON parameter is 1.5 to 1.8 times as fast as arrays with unnest. */
function recordset(columns: Readonly<Record<string, string>>): string {
  const list = Object.entries(columns).map(([name, type]) => `${name} ${type}`);
  return `jsonb_to_recordset($1::text::jsonb) AS changed(${list.join(", ")})`;
}

function run(tx: Tx, statement: string, rows: readonly object[]): Promise<unknown> {
  return tx.unsafe(statement, [JSON.stringify(rows)], { prepare: true });
}

function lastOf<T>(items: readonly T[], key: (item: T) => string): readonly T[] {
  return [...new Map(items.map((item) => [key(item), item])).values()];
}
