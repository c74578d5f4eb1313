/**
 * The drivers of one market and where they are: states by the highest version, positions by the newest observation.
 *
 * A position may come before its driver's shift does, and the other way round.
 */
import type { Driver } from "@ridegrid/domain";
import { createMovingPoints, createProjection, type MovingPoints, type Projection, type RegionMarket } from "@ridegrid/spatial";
import { driversMax, offlineKeptMs, positionKeptMs } from "./limits.ts";

/** A point's flags: the driver is available, on a shift in this market... */
export const availableFlag = 1;
/** ...but a ride's events tell of an offer or a trip of theirs, of which their own events have not told yet. */
export const heldFlag = 2;
/** Only within `freeSince`. */
const askedFlag = 4;

export type ReportedPosition = { readonly driverId: string; readonly latitude: number; readonly longitude: number; readonly observedAtMs: number };

export type PositionColumns = {
  readonly driverIds: readonly string[];
  readonly latitudes: readonly number[];
  readonly longitudes: readonly number[];
  readonly observeTimesMs: readonly bigint[];
};

export interface DriverBook {
  readonly drivers: ReadonlyMap<string, Driver>;
  readonly points: MovingPoints;
  readonly projection: Projection;
  replace(drivers: readonly Driver[]): void;
  apply(driver: Driver): "applied" | "known";
  place(position: ReportedPosition): "applied" | "known" | "full";
  /** The same for a record's columns, without an object a row. @throws when they differ in length. */
  placeAll(reports: PositionColumns): void;
  /** The ride has an offer with this driver. */
  hold(driverId: string, rideId: string): void;
  /** That ride has it no more. */
  letGo(driverId: string, rideId: string): void;
  /** The last ride that holds the driver. */
  rideOf(driverId: string): string | undefined;
  /** Slots of the drivers who are available, held by no ride, heard after `afterMs` and not among `but`, rising; until the next call. */
  freeSince(afterMs: number, but: Iterable<string>): Int32Array;
  /** 0 when no position is known. */
  heardAtMs(driverId: string): number;
  /** Drops drivers long off shift and positions of nobody. */
  sweep(nowMs: number): void;
}

export function createDriverBook(market: RegionMarket): DriverBook {
  const projection = createProjection(market.center);
  const points = createMovingPoints({ capacity: driversMax });
  const drivers = new Map<string, Driver>();
  /** By driver: the ride that holds them, the later one where an end and another's offer are read in turn. */
  const holders = new Map<string, string>();

  function put(driver: Driver): void {
    const isHere = driver.status !== "offline" && driver.shift?.marketId === market.marketId;
    const slot = isHere ? points.claim(driver.driverId) : points.slotOf(driver.driverId);
    drivers.set(driver.driverId, driver);
    if (slot === undefined) return;
    points.columns.flags[slot] = (isHere && driver.status === "available" ? availableFlag : 0) | (holders.has(driver.driverId) ? heldFlag : 0);
    points.columns.seats[slot] = driver.shift?.vehicle.seats ?? 0;
  }

  /** A held driver has a slot even before their shift is heard of: who looks for silent ones looks at slots only. */
  function markHeld(driverId: string): void {
    const slot = points.claim(driverId);
    if (slot === undefined) return;
    const others = (points.columns.flags[slot] ?? 0) & ~heldFlag;
    points.columns.flags[slot] = others | (holders.has(driverId) ? heldFlag : 0);
  }

  /** The newest observation wins, whenever it comes. */
  function write(slot: number, position: Omit<ReportedPosition, "driverId">): "applied" | "known" {
    const { columns } = points;
    const { observedAtMs } = position;
    if (observedAtMs <= (columns.observedAtMs[slot] ?? 0)) return "known";
    const { x, y } = projection.toLocal(position);
    columns.x[slot] = x;
    columns.y[slot] = y;
    columns.observedAtMs[slot] = observedAtMs;
    return "applied";
  }

  let free = new Int32Array(0);
  function freeSince(afterMs: number, but: Iterable<string>): Int32Array {
    const { columns, slotEnd } = points;
    const { flags, observedAtMs } = columns;
    if (free.length < slotEnd) free = new Int32Array(slotEnd * 2);
    const toggle = (driverId: string): void => {
      const slot = points.slotOf(driverId);
      if (slot !== undefined) flags[slot] = flags[slot]! ^ askedFlag;
    };
    const asked = new Set(but);
    asked.forEach(toggle);
    let count = 0;
    for (let slot = 0; slot < slotEnd; slot++) {
      if (observedAtMs[slot]! <= afterMs) continue;
      // Written each time and kept where the driver is free: nobody can guess who is, a processor neither.
      free[count] = slot;
      count += ((flags[slot]! ^ availableFlag) - 1) >>> 31;
    }
    asked.forEach(toggle);
    return free.subarray(0, count);
  }

  function heardAtMs(driverId: string): number {
    const slot = points.slotOf(driverId);
    return slot === undefined ? 0 : (points.columns.observedAtMs[slot] ?? 0);
  }

  return {
    drivers,
    points,
    projection,
    freeSince,
    heardAtMs,
    replace(snapshot) {
      drivers.clear();
      points.columns.flags.fill(0);
      snapshot.forEach(put);
      for (const driverId of holders.keys()) markHeld(driverId);
    },
    apply(driver) {
      if (driver.version <= (drivers.get(driver.driverId)?.version ?? 0)) return "known";
      put(driver);
      return "applied";
    },
    place(position) {
      const slot = points.claim(position.driverId);
      return slot === undefined ? "full" : write(slot, position);
    },
    placeAll({ driverIds, latitudes, longitudes, observeTimesMs }) {
      const rows = driverIds.length;
      if (latitudes.length !== rows || longitudes.length !== rows || observeTimesMs.length !== rows)
        throw new Error(`Cannot place ${rows} drivers: the columns differ in length`);
      for (let row = 0; row < rows; row++) {
        const slot = points.claim(driverIds[row] ?? "");
        if (slot === undefined) continue;
        write(slot, { latitude: latitudes[row] ?? 0, longitude: longitudes[row] ?? 0, observedAtMs: Number(observeTimesMs[row]) });
      }
    },
    hold(driverId, rideId) {
      holders.set(driverId, rideId);
      markHeld(driverId);
    },
    letGo(driverId, rideId) {
      if (holders.get(driverId) !== rideId) return;
      holders.delete(driverId);
      markHeld(driverId);
    },
    rideOf: (driverId) => holders.get(driverId),
    sweep(nowMs) {
      for (const [driverId, driver] of drivers) if (driver.status === "offline" && driver.updateTimeMs < nowMs - offlineKeptMs) drivers.delete(driverId);
      for (let slot = 0; slot < points.slotEnd; slot++) {
        const isHeld = ((points.columns.flags[slot] ?? 0) & heldFlag) !== 0;
        if (isHeld || (points.columns.observedAtMs[slot] ?? 0) >= nowMs - positionKeptMs) continue;
        const driverId = points.idAt(slot);
        if (driverId !== undefined && (drivers.get(driverId)?.status ?? "offline") === "offline") points.release(driverId);
      }
    },
  };
}
