/**
 * Drivers who report in turn, as the columns of a record of telemetry: what an ingest that flushes each tenth of a second
 * would write. The same for the same seed.
 */
import type { LatLng } from "@ridegrid/domain";
import { fleetRowsPerRecordMax } from "./limits.ts";
import { createSeededRandom } from "./seeded-random.ts";

export type FleetColumns = {
  readonly driverIds: string[];
  readonly sequences: bigint[];
  readonly latitudes: number[];
  readonly longitudes: number[];
  readonly headingsDegrees: number[];
  readonly speedsMps: number[];
  readonly accuraciesM: number[];
  readonly observeTimesMs: bigint[];
};

export interface MovingFleet {
  readonly driverIds: readonly string[];
  /** The next `count` drivers' reports, cut into records. */
  report(count: number, observedAtMs: number): readonly FleetColumns[];
}

export function createMovingFleet({ drivers, center, seed }: { readonly drivers: number; readonly center: LatLng; readonly seed: number }): MovingFleet {
  const random = createSeededRandom(seed);
  const driverIds = Array.from({ length: drivers }, (_, index) => `019bbbbb-0000-7000-8000-${String(index).padStart(12, "0")}`);
  let reported = 0;

  function record(rows: number, observedAtMs: number): FleetColumns {
    const numbers = Array.from({ length: rows }, () => reported++);
    const around = (degrees: number): number => degrees + (random.next() - 0.5) / 5;
    return {
      driverIds: numbers.map((number) => driverIds[number % drivers] ?? ""),
      sequences: numbers.map((number) => BigInt(1 + Math.floor(number / drivers))),
      latitudes: numbers.map(() => around(center.latitude)),
      longitudes: numbers.map(() => around(center.longitude)),
      headingsDegrees: numbers.map(() => Math.floor(random.next() * 360)),
      speedsMps: numbers.map(() => random.next() * 15),
      accuraciesM: numbers.map(() => 5 + random.next() * 10),
      observeTimesMs: numbers.map(() => BigInt(observedAtMs)),
    };
  }

  return {
    driverIds,
    report(count, observedAtMs) {
      const records: FleetColumns[] = [];
      for (let left = count; left > 0; left -= fleetRowsPerRecordMax) records.push(record(Math.min(left, fleetRowsPerRecordMax), observedAtMs));
      return records;
    },
  };
}
