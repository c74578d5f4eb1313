/**
 * A ride as its row: every field of the domain's `Ride`, one column each. The only place that knows both.
 *
 * Times are whole milliseconds on both sides, so that a ride read back equals the ride written.
 */
import {
  type CancelReason,
  driverId,
  type LiveOffer,
  marketId,
  money,
  offerId,
  type Party,
  quoteId,
  regionId,
  type Ride,
  rideDriver,
  rideId,
  riderId,
  type RideStatus,
  type RideTimer,
  type Vehicle,
} from "@ridegrid/domain";

/** What never changes after RideRequested. */
type RideFacts = {
  ride_id: string;
  home_region: string;
  market_id: string;
  partition: number;
  rider_id: string;
  quote_id: string;
  pickup_latitude: number;
  pickup_longitude: number;
  dropoff_latitude: number;
  dropoff_longitude: number;
  seats: number;
  currency_code: string;
  fare_minor: number;
  surge: number;
  trip_meters: number;
  trip_seconds: number;
  create_time: Date;
};

type RideState = {
  status: string;
  version: number;
  attempt: number;
  blocked_drivers: readonly string[];
  offer_id: string | null;
  driver_id: string | null;
  offer_expire_time: Date | null;
  pickup_eta_seconds: number | null;
  vehicle_seats: number | null;
  vehicle_plate: string | null;
  vehicle_model: string | null;
  timer_kind: string | null;
  timer_at: Date | null;
  search_deadline: Date;
  assign_time: Date | null;
  no_show_time: Date | null;
  start_time: Date | null;
  end_time: Date | null;
  canceled_by: string | null;
  cancel_reason: string | null;
  cancellation_fee_minor: number | null;
  update_time: Date;
};

export type RideRow = RideFacts & RideState;

/** Column and type, as `jsonb_to_recordset` wants them. */
export const rideFactColumns: Readonly<Record<keyof RideFacts, string>> = {
  ride_id: "uuid",
  home_region: "text",
  market_id: "text",
  partition: "integer",
  rider_id: "text",
  quote_id: "uuid",
  pickup_latitude: "double precision",
  pickup_longitude: "double precision",
  dropoff_latitude: "double precision",
  dropoff_longitude: "double precision",
  seats: "integer",
  currency_code: "text",
  fare_minor: "bigint",
  surge: "double precision",
  trip_meters: "integer",
  trip_seconds: "integer",
  create_time: "timestamptz",
};

export const rideStateColumns: Readonly<Record<keyof RideState, string>> = {
  status: "text",
  version: "bigint",
  attempt: "integer",
  blocked_drivers: "text[]",
  offer_id: "uuid",
  driver_id: "text",
  offer_expire_time: "timestamptz",
  pickup_eta_seconds: "integer",
  vehicle_seats: "integer",
  vehicle_plate: "text",
  vehicle_model: "text",
  timer_kind: "text",
  timer_at: "timestamptz",
  search_deadline: "timestamptz",
  assign_time: "timestamptz",
  no_show_time: "timestamptz",
  start_time: "timestamptz",
  end_time: "timestamptz",
  canceled_by: "text",
  cancel_reason: "text",
  cancellation_fee_minor: "bigint",
  update_time: "timestamptz",
};

export const rideFactNames = Object.keys(rideFactColumns) as readonly (keyof RideFacts)[];
export const rideStateNames = Object.keys(rideStateColumns) as readonly (keyof RideState)[];

export function rideToRow(ride: Ride): RideRow {
  const { offer } = ride;
  const vehicle = offer?.vehicle ?? ride.lastVehicle;
  return {
    ride_id: ride.rideId,
    home_region: ride.homeRegion,
    market_id: ride.marketId,
    partition: ride.partition,
    rider_id: ride.riderId,
    quote_id: ride.quoteId,
    pickup_latitude: ride.pickup.latitude,
    pickup_longitude: ride.pickup.longitude,
    dropoff_latitude: ride.dropoff.latitude,
    dropoff_longitude: ride.dropoff.longitude,
    seats: ride.seats,
    currency_code: ride.fare.currencyCode,
    fare_minor: ride.fare.amountMinor,
    surge: ride.surge,
    trip_meters: ride.tripMeters,
    trip_seconds: ride.tripSeconds,
    create_time: new Date(ride.createTimeMs),
    status: ride.status,
    version: ride.version,
    attempt: ride.attempt,
    blocked_drivers: ride.blockedDrivers,
    offer_id: offer?.offerId ?? null,
    driver_id: rideDriver(ride),
    offer_expire_time: dateOf(offer?.expiresAtMs ?? null),
    pickup_eta_seconds: offer?.pickupEtaSeconds ?? null,
    vehicle_seats: vehicle?.seats ?? null,
    vehicle_plate: vehicle?.plate ?? null,
    vehicle_model: vehicle?.model ?? null,
    timer_kind: ride.timer?.kind ?? null,
    timer_at: dateOf(ride.timer?.atMs ?? null),
    search_deadline: new Date(ride.searchDeadlineMs),
    assign_time: dateOf(ride.assignedAtMs),
    no_show_time: dateOf(ride.noShowAtMs),
    start_time: dateOf(ride.startedAtMs),
    end_time: dateOf(ride.endedAtMs),
    canceled_by: ride.canceledBy,
    cancel_reason: ride.cancelReason,
    cancellation_fee_minor: ride.cancellationFee?.amountMinor ?? null,
    update_time: new Date(ride.updateTimeMs),
  };
}

export function rideFromRow(row: RideRow): Ride {
  const offer = liveOffer(row);
  const ended = offer === null && row.driver_id !== null;
  return {
    rideId: rideId(row.ride_id),
    riderId: riderId(row.rider_id),
    quoteId: quoteId(row.quote_id),
    marketId: marketId(row.market_id),
    homeRegion: regionId(row.home_region),
    partition: row.partition,
    pickup: { latitude: row.pickup_latitude, longitude: row.pickup_longitude },
    dropoff: { latitude: row.dropoff_latitude, longitude: row.dropoff_longitude },
    seats: row.seats,
    fare: money(row.currency_code, Number(row.fare_minor)),
    surge: row.surge,
    tripMeters: row.trip_meters,
    tripSeconds: row.trip_seconds,
    status: row.status as RideStatus,
    version: Number(row.version),
    attempt: row.attempt,
    blockedDrivers: row.blocked_drivers.map(driverId),
    offer,
    timer: row.timer_at === null ? null : { kind: row.timer_kind as RideTimer["kind"], atMs: row.timer_at.getTime() },
    searchDeadlineMs: row.search_deadline.getTime(),
    assignedAtMs: msOf(row.assign_time),
    noShowAtMs: msOf(row.no_show_time),
    startedAtMs: msOf(row.start_time),
    endedAtMs: msOf(row.end_time),
    lastDriverId: ended ? driverId(set(row.driver_id)) : null,
    lastVehicle: ended ? vehicleFromColumns(row) : null,
    canceledBy: row.canceled_by as Party | null,
    cancelReason: row.cancel_reason as CancelReason | null,
    cancellationFee: row.cancellation_fee_minor === null ? null : money(row.currency_code, Number(row.cancellation_fee_minor)),
    createTimeMs: row.create_time.getTime(),
    updateTimeMs: row.update_time.getTime(),
  };
}

function liveOffer(row: RideRow): LiveOffer | null {
  if (row.offer_id === null) return null;
  return {
    offerId: offerId(row.offer_id),
    driverId: driverId(set(row.driver_id)),
    expiresAtMs: set(row.offer_expire_time).getTime(),
    pickupEtaSeconds: set(row.pickup_eta_seconds),
    vehicle: vehicleFromColumns(row),
  };
}

export function vehicleFromColumns(row: {
  readonly vehicle_seats: number | null;
  readonly vehicle_plate: string | null;
  readonly vehicle_model: string | null;
}): Vehicle {
  return { seats: set(row.vehicle_seats), plate: set(row.vehicle_plate), model: set(row.vehicle_model) };
}

export function dateOf(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms);
}

function msOf(date: Date | null): number | null {
  return date === null ? null : date.getTime();
}

/** For a column that the row's own checks promise. */
export function set<T>(value: T | null): T {
  if (value === null) throw new Error("A column that must be set is null: the row breaks its own checks");
  return value;
}
