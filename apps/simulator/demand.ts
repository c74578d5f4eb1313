/** When riders come: a Poisson process in the city's seconds, on trips of a source. The first rider comes at 0. */
import { demandLoad, boardingSeconds, streetDetour, vehicleSpeedMps } from "./limits.ts";
import { travelSeconds } from "./movement.ts";
import type { Random } from "./random.ts";
import type { TripSource } from "./trip-source.ts";
import type { Trip, TripsFile } from "./trips-file.ts";

export type Request = Trip & {
  /** From 0. */
  readonly index: number;
  /** City seconds since the city opened. */
  readonly atSeconds: number;
};

export interface Demand {
  readonly ratePerSecond: number;
  next(): Request;
}

export function createDemand({
  source,
  ratePerSecond,
  random,
}: {
  readonly source: TripSource;
  readonly ratePerSecond: number;
  readonly random: Random;
}): Demand {
  const gaps = random.fork("gaps");
  let index = 0;
  let atSeconds = 0;
  return {
    ratePerSecond,
    next() {
      const request = { ...source.draw(), index, atSeconds };
      index++;
      atSeconds += gaps.exponential(1 / ratePerSecond);
      return request;
    },
  };
}

/** Rides a city second in the file, as it was recorded. */
export function fileRate(file: TripsFile): number {
  return file.trips.length / file.spanSeconds;
}

const planSamples = 2_000;
/** Wall seconds a ride holds its driver beyond driving: matching's tick, the driver's answer, calls and streams. */
const overheadWallSeconds = 2;

/**
 * Rides a city second that keep `demandLoad` of the fleet busy: drivers / seconds a ride holds one, for trips as the
 * source draws them. The drive to the pickup is half the mean spacing of the free drivers over the area that holds
 * the pickups (the expected distance to the nearest of points strewn at random).
 */
export function fleetRate({
  source,
  drivers,
  speedup,
  random,
}: {
  readonly source: TripSource;
  readonly drivers: number;
  readonly speedup: number;
  readonly random: Random;
}): number {
  const trips = Array.from({ length: planSamples }, () => source.sample(random));
  const tripSeconds = mean(trips.map(({ pickup, dropoff }) => travelSeconds(pickup, dropoff)));
  const free = Math.max(1, drivers * (1 - demandLoad));
  const pickupSeconds = (0.5 * Math.sqrt(areaSquareMeters(trips) / free) * streetDetour) / vehicleSpeedMps;
  const boarding = (boardingSeconds.min + boardingSeconds.max) / 2;
  return (demandLoad * drivers) / (tripSeconds + pickupSeconds + boarding + overheadWallSeconds * speedup);
}

/** Of the ellipse of two standard deviations around the mean pickup. */
function areaSquareMeters(trips: readonly Trip[]): number {
  const metersPerDegree = 111_195;
  const latitude = trips.map(({ pickup }) => pickup.latitude);
  const longitude = trips.map(({ pickup }) => pickup.longitude * Math.cos((pickup.latitude * Math.PI) / 180));
  return Math.PI * (2 * deviation(latitude) * metersPerDegree) * (2 * deviation(longitude) * metersPerDegree);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function deviation(values: readonly number[]): number {
  const center = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - center) ** 2)));
}
