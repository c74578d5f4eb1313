/** A driver as its row; while offline the shift columns are the last shift's. */
import { type Driver, driverId, type DriverStatus, marketId, offerId, regionId, rideId, type Shift, shiftId } from "@ridegrid/domain";
import { dateOf, set, vehicleFromColumns } from "./ride-row.ts";

export type DriverRow = {
  driver_id: string;
  status: string;
  version: number;
  shift_id: string | null;
  home_region: string | null;
  market_id: string | null;
  partition: number | null;
  vehicle_seats: number | null;
  vehicle_plate: string | null;
  vehicle_model: string | null;
  accept_reassignment: boolean;
  shift_start_time: Date | null;
  ride_id: string | null;
  offer_id: string | null;
  update_time: Date;
};

/** Column and type, as `jsonb_to_recordset` wants them. */
export const driverColumns: Readonly<Record<keyof DriverRow, string>> = {
  driver_id: "text",
  status: "text",
  version: "bigint",
  shift_id: "uuid",
  home_region: "text",
  market_id: "text",
  partition: "integer",
  vehicle_seats: "integer",
  vehicle_plate: "text",
  vehicle_model: "text",
  accept_reassignment: "boolean",
  shift_start_time: "timestamptz",
  ride_id: "uuid",
  offer_id: "uuid",
  update_time: "timestamptz",
};

export const driverColumnNames = Object.keys(driverColumns) as readonly (keyof DriverRow)[];

export function driverToRow(driver: Driver): DriverRow {
  const { shift } = driver;
  return {
    driver_id: driver.driverId,
    status: driver.status,
    version: driver.version,
    shift_id: shift?.shiftId ?? null,
    home_region: shift?.homeRegion ?? null,
    market_id: shift?.marketId ?? null,
    partition: shift?.partition ?? null,
    vehicle_seats: shift?.vehicle.seats ?? null,
    vehicle_plate: shift?.vehicle.plate ?? null,
    vehicle_model: shift?.vehicle.model ?? null,
    accept_reassignment: shift?.acceptReassignment ?? false,
    shift_start_time: dateOf(shift?.startedAtMs ?? null),
    ride_id: driver.rideId,
    offer_id: driver.offerId,
    update_time: new Date(driver.updateTimeMs),
  };
}

export function driverFromRow(row: DriverRow): Driver {
  return {
    driverId: driverId(row.driver_id),
    status: row.status as DriverStatus,
    version: Number(row.version),
    shift: shiftFromRow(row),
    rideId: row.ride_id === null ? null : rideId(row.ride_id),
    offerId: row.offer_id === null ? null : offerId(row.offer_id),
    updateTimeMs: row.update_time.getTime(),
  };
}

function shiftFromRow(row: DriverRow): Shift | null {
  if (row.shift_id === null) return null;
  return {
    shiftId: shiftId(row.shift_id),
    marketId: marketId(set(row.market_id)),
    homeRegion: regionId(set(row.home_region)),
    partition: set(row.partition),
    vehicle: vehicleFromColumns(row),
    acceptReassignment: row.accept_reassignment,
    startedAtMs: set(row.shift_start_time).getTime(),
  };
}
