/**
 * The driver: a shift in one market and what the driver is doing on it, as the fold of shift events and ride events.
 *
 * `stale` is not a state: whoever holds telemetry computes it.
 */
import type { DriverId, MarketId, OfferId, RegionId, RideId, ShiftId } from "./ids.ts";
import type { RideEvent, Vehicle } from "./ride.ts";
import { unreachable } from "./unreachable.ts";

export type DriverStatus = "offline" | "available" | "offered" | "en_route" | "on_trip";

export type Shift = {
  readonly shiftId: ShiftId;
  readonly marketId: MarketId;
  readonly homeRegion: RegionId;
  readonly partition: number;
  readonly vehicle: Vehicle;
  readonly acceptReassignment: boolean;
  readonly startedAtMs: number;
};

export type Driver = {
  readonly driverId: DriverId;
  readonly status: DriverStatus;
  readonly version: number;
  /** The current shift; while offline the last one, so that the driver's stream has a home; null before the first. */
  readonly shift: Shift | null;
  readonly rideId: RideId | null;
  readonly offerId: OfferId | null;
  readonly updateTimeMs: number;
};

export type ShiftEvent =
  | { readonly type: "ShiftStarted"; readonly driverId: DriverId; readonly version: number; readonly occurredAtMs: number; readonly shift: Shift }
  | { readonly type: "ShiftEnded"; readonly driverId: DriverId; readonly version: number; readonly occurredAtMs: number };

/** A driver never seen before. */
export function newDriver(driverId: DriverId): Driver {
  return { driverId, status: "offline", version: 0, shift: null, rideId: null, offerId: null, updateTimeMs: 0 };
}

export function evolveShift(driver: Driver, event: ShiftEvent): Driver {
  assertNext(driver, event.version, event.type);
  const moved = { ...driver, version: event.version, updateTimeMs: event.occurredAtMs };
  switch (event.type) {
    case "ShiftStarted":
      return { ...moved, status: "available", shift: event.shift };
    case "ShiftEnded":
      return { ...moved, status: "offline" };
    default:
      return unreachable(event);
  }
}

/**
 * Applies a ride event to the driver it concerns.
 *
 * @throws when the event names another driver or is not this driver's next version.
 */
export function evolveDriver(driver: Driver, event: RideEvent): Driver {
  if (event.driverId !== driver.driverId || event.driverVersion === null) {
    throw new Error(`Cannot apply ${event.body.type} to driver "${driver.driverId}": it concerns "${event.driverId}"`);
  }
  assertNext(driver, event.driverVersion, event.body.type);
  return { ...driver, ...driverChanges(event), version: event.driverVersion, updateTimeMs: event.occurredAtMs };
}

function driverChanges(event: RideEvent): Partial<Driver> {
  const { body, rideId } = event;
  const free = { status: "available", rideId: null, offerId: null } as const;
  switch (body.type) {
    case "OfferSent":
      return { status: "offered", rideId, offerId: body.offerId };
    case "OfferAccepted":
      return { status: "en_route" };
    case "DriverArrived":
      return { status: "en_route" };
    case "RideStarted":
      return { status: "on_trip" };
    case "OfferDeclined":
      return { ...free, status: body.wentOffline ? "offline" : "available" };
    case "OfferExpired":
    case "RideCompleted":
    case "AssignmentReleased":
    case "RideCanceled":
      return free;
    case "RideRequested":
    case "NoDriversFound":
      throw new Error(`Cannot apply ${body.type} to a driver: it concerns none`);
    default:
      return unreachable(body);
  }
}

function assertNext(driver: Driver, version: number, type: string): void {
  if (version !== driver.version + 1) {
    throw new Error(`Cannot apply ${type} version ${version} to driver "${driver.driverId}": expected version ${driver.version + 1}`);
  }
}
