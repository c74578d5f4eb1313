/** Drivers and rides at places of a test's choosing, in the tables as folding leaves them, and what brute force finds among them. */
import { haversineMeters, type LatLng, type Random } from "@ridegrid/domain";
import type { Sql } from "@ridegrid/runtime";
import type { DriverPlaces, NearestSearch } from "./driver-places.ts";

export const nowMs = 1_800_000_000_000;

export type PlacedDriver = LatLng & { readonly driverId: string; readonly status: string; readonly observedAtMs: number };
export type PlacedRide = LatLng & { readonly rideId: string; readonly open: boolean; readonly createTimeMs: number };

export async function addDrivers(sql: Sql, { places, region }: { readonly places: DriverPlaces; readonly region: string }, drivers: readonly PlacedDriver[]) {
  const rows = drivers.map(({ driverId, status }) => ({ driver_id: driverId, status }));
  await sql`
    INSERT INTO driver_view (home_region, driver_id, partition, market_id, status, version, update_time, payload)
    SELECT ${region}, driver_id, 0, 'nyc', status, 1, now(), '' FROM jsonb_to_recordset(${sql.json(rows)}) AS row(driver_id text, status text)`;
  await places.record(
    drivers.map(({ driverId, latitude, longitude, observedAtMs }) => ({
      driverId,
      position: { latitude, longitude, headingDegrees: 90, observedAtMs, sequence: 1n },
    })),
  );
}

export async function addRides(sql: Sql, region: string, rides: readonly PlacedRide[]): Promise<void> {
  const rows = rides.map(({ rideId, open, createTimeMs, latitude, longitude }) => ({
    ride_id: rideId,
    open,
    create_ms: createTimeMs,
    latitude,
    longitude,
    ride: { rideId, createTimeMs, pickup: { latitude, longitude } },
  }));
  await sql`
    INSERT INTO ride_view (home_region, ride_id, partition, market_id, rider_id, driver_id, status, open, version, create_time, update_time, ride, pickup_latitude, pickup_longitude)
    SELECT ${region}, ride_id, 0, 'nyc', 'r', null, 'requested', open, 1, to_timestamp(create_ms / 1000), now(), ride, latitude, longitude
    FROM jsonb_to_recordset(${sql.json(rows)}) AS row(ride_id uuid, open boolean, create_ms float8, ride jsonb, latitude float8, longitude float8)`;
}

/** Distances in millimetres: two drivers that close are equally near, and either may come first. */
export function nearestByBruteForce(drivers: readonly PlacedDriver[], { near, radiusMeters, seenAfterMs, limit }: NearestSearch): readonly number[] {
  return drivers
    .filter(({ status, observedAtMs }) => status === "available" && observedAtMs >= seenAfterMs)
    .map((driver) => haversineMeters(near, driver))
    .filter((meters) => meters <= radiusMeters)
    .toSorted((left, right) => left - right)
    .slice(0, limit)
    .map(millimeters);
}

export function millimeters(meters: number): number {
  return Math.round(meters * 1_000);
}

/** Evenly spread over a box of so many degrees around a point, wrapped at the antimeridian and cut off at the poles. */
export function around(random: Random, { latitude, longitude }: LatLng, degrees: number): LatLng {
  const north = latitude + (random.next() - 0.5) * degrees;
  const east = longitude + (random.next() - 0.5) * degrees;
  return { latitude: Math.min(90, Math.max(-90, north)), longitude: east > 180 ? east - 360 : east < -180 ? east + 360 : east };
}
