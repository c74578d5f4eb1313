/**
 * Commands on a shift. A driver who is asked or on a ride is locked like everybody else: the ride first, then the
 * driver; a driver who moved to another ride in between makes the transaction start again.
 */
import { driverId, type Driver, newDriver, type Refusal, type Ride } from "@ridegrid/domain";
import { type Change, homeRegionsOf } from "./change.ts";
import { type DriverRow, driverFromRow } from "./driver-row.ts";
import { driverColumnList, nowOf, query, readClock, rideColumnList } from "./load-ride.postgres.ts";
import { claimRequest, writeOfOutcome } from "./request-store.postgres.ts";
import { rideFromRow, type RideRow } from "./ride-row.ts";
import type { RideStoreDeps } from "./ride-store-deps.ts";
import type { LoadedShift, Outcome, ShiftWork } from "./ride-store.ts";
import { readServing, shareMarket } from "./serving.postgres.ts";
import { LostRace, runTransaction } from "./transaction.postgres.ts";
import type { Tx } from "./tx.ts";
import { type CausedChange, writesOf } from "./write-changes.postgres.ts";
import { writeTogether } from "./write-together.ts";

export async function changeShift(deps: RideStoreDeps, work: ShiftWork): Promise<Outcome> {
  const result = await runTransaction<Outcome & { readonly changes?: readonly CausedChange[] }>(deps.sql, deps.ids, async (tx, nextId) => {
    const claim = await claimRequest(tx, work.request);
    if (claim !== null) return claim;
    const loaded = await lockShift(tx, work.driverId, work.opensIn);
    const decided = decideSteps(loaded, work);
    if (decided.kind === "refused") return decided;
    const outcome = { kind: "answered", answer: work.answer(decided.driver) } as const;
    await writeTogether(tx, [...writesOf(decided.changes, nextId), writeOfOutcome(work.request, outcome)]);
    return { ...outcome, changes: decided.changes };
  });
  if (result.kind === "answered") for (const region of homeRegionsOf((result.changes ?? []).map(({ change }) => change))) deps.onCommit(region);
  return result;
}

type Decided = { readonly kind: "changed"; readonly driver: Driver; readonly changes: readonly CausedChange[] } | Refusal;

function decideSteps(first: LoadedShift, work: ShiftWork): Decided {
  const changes: CausedChange[] = [];
  let loaded = first;
  for (let step = work.next(loaded, 0); step !== null; step = work.next(loaded, changes.length)) {
    if (step.decision.kind === "refused") return step.decision;
    const change: Change =
      step.kind === "ride"
        ? { kind: "ride", before: loaded.ride, event: step.decision.event, ride: step.decision.ride, driver: step.decision.driver }
        : { kind: "shift", before: loaded.driver, event: step.decision.event, driver: step.decision.driver };
    changes.push({ change, cause: work.cause });
    loaded = { ...loaded, driver: change.driver ?? loaded.driver, ride: change.kind === "ride" ? change.ride : loaded.ride };
  }
  return { kind: "changed", driver: loaded.driver, changes };
}

/** A driver never seen before gets a row first, so that there is one to lock. */
async function lockShift(tx: Tx, id: string, opensIn: string | null): Promise<LoadedShift> {
  const [, , rides, drivers, serving, clocks] = await Promise.all([
    opensIn === null ? null : shareMarket(tx, opensIn),
    query(tx, "INSERT INTO driver (driver_id, status, version, update_time) VALUES ($1, 'offline', 0, 'epoch') ON CONFLICT DO NOTHING", [id]),
    query<RideRow>(tx, `SELECT ${rideColumnList} FROM ride WHERE ride_id = (SELECT ride_id FROM driver WHERE driver_id = $1) FOR UPDATE`, [id]),
    query<DriverRow>(tx, `SELECT ${driverColumnList} FROM driver WHERE driver_id = $1 FOR UPDATE`, [id]),
    readServing(tx),
    readClock(tx),
  ]);
  const row = drivers[0];
  const driver = row === undefined ? newDriver(driverId(id)) : driverFromRow(row);
  const ride: Ride | null = rides[0] === undefined ? null : rideFromRow(rides[0]);
  if (driver.rideId !== (ride?.rideId ?? null)) throw new LostRace(`Driver "${id}" moved to another ride while being locked`);
  return { driver, ride, serving, nowMs: nowOf(clocks) };
}
