/**
 * The drivers of one market and where they are: states by the highest version, positions by the newest observation.
 *
 * A position may come before its driver's shift does, and the other way round.
 */
import type { Driver } from "@ridegrid/domain";
import { createMovingPoints, createProjection, type MovingPoints, type Projection, type RegionMarket } from "@ridegrid/spatial";
import { driversMax, offlineKeptMs, positionKeptMs } from "./limits.ts";

/** The only bit of a point's flags: the driver is available, on a shift in this market. */
export const availableFlag = 1;

export type ReportedPosition = { readonly driverId: string; readonly latitude: number; readonly longitude: number; readonly observedAtMs: number };

export interface DriverBook {
  readonly drivers: ReadonlyMap<string, Driver>;
  readonly points: MovingPoints;
  readonly projection: Projection;
  replace(drivers: readonly Driver[]): void;
  apply(driver: Driver): "applied" | "known";
  place(position: ReportedPosition): "applied" | "known" | "full";
  /** 0 when no position is known. */
  heardAtMs(driverId: string): number;
  /** Drops drivers long off shift and positions of nobody. */
  sweep(nowMs: number): void;
}

export function createDriverBook(market: RegionMarket): DriverBook {
  const projection = createProjection(market.center);
  const points = createMovingPoints({ capacity: driversMax });
  const drivers = new Map<string, Driver>();

  function put(driver: Driver): void {
    const isHere = driver.status !== "offline" && driver.shift?.marketId === market.marketId;
    const slot = isHere ? points.claim(driver.driverId) : points.slotOf(driver.driverId);
    drivers.set(driver.driverId, driver);
    if (slot === undefined) return;
    points.columns.flags[slot] = isHere && driver.status === "available" ? availableFlag : 0;
    points.columns.seats[slot] = driver.shift?.vehicle.seats ?? 0;
  }

  function heardAtMs(driverId: string): number {
    const slot = points.slotOf(driverId);
    return slot === undefined ? 0 : (points.columns.observedAtMs[slot] ?? 0);
  }

  return {
    drivers,
    points,
    projection,
    heardAtMs,
    replace(snapshot) {
      drivers.clear();
      points.columns.flags.fill(0);
      snapshot.forEach(put);
    },
    apply(driver) {
      if (driver.version <= (drivers.get(driver.driverId)?.version ?? 0)) return "known";
      put(driver);
      return "applied";
    },
    place({ driverId, latitude, longitude, observedAtMs }) {
      const slot = points.claim(driverId);
      if (slot === undefined) return "full";
      const { columns } = points;
      if (observedAtMs <= (columns.observedAtMs[slot] ?? 0)) return "known";
      const { x, y } = projection.toLocal({ latitude, longitude });
      columns.x[slot] = x;
      columns.y[slot] = y;
      columns.observedAtMs[slot] = observedAtMs;
      return "applied";
    },
    sweep(nowMs) {
      for (const [driverId, driver] of drivers) if (driver.status === "offline" && driver.updateTimeMs < nowMs - offlineKeptMs) drivers.delete(driverId);
      for (const driverId of [...points.ids()]) {
        const onShift = (drivers.get(driverId)?.status ?? "offline") !== "offline";
        if (!onShift && heardAtMs(driverId) < nowMs - positionKeptMs) points.release(driverId);
      }
    },
  };
}
