/** Demand: its rate, its shape, and that one seed is one city. */
import { describe, expect, test } from "bun:test";
import { latLngToCell } from "h3-js";
import { createCity } from "./city.ts";
import { createDemand, fileRate, fleetRate, type Request } from "./demand.ts";
import { createRandom } from "./random.ts";
import { createFileTrips } from "./trip-source.file.ts";
import { createGeneratedTrips } from "./trip-source.generated.ts";
import type { TripSource } from "./trip-source.ts";
import { parseTrips } from "./trips-file.ts";

const city = createCity({ marketId: "nyc", homeRegion: "ewr", cells: [latLngToCell(40.75, -73.98, 5)] });

function generated(seed: number): TripSource {
  return createGeneratedTrips({ city, random: createRandom(seed).fork("trips") });
}

function requests(source: TripSource, seed: number, options: { readonly ratePerSecond: number; readonly count: number }): readonly Request[] {
  const demand = createDemand({ source, ratePerSecond: options.ratePerSecond, random: createRandom(seed).fork("demand") });
  return Array.from({ length: options.count }, () => demand.next());
}

describe("createDemand()", () => {
  test("is a Poisson process of the rate asked for, beginning at 0", () => {
    const gaps = requests(generated(3), 3, { ratePerSecond: 0.5, count: 20_001 }).map(({ atSeconds }) => atSeconds);
    expect(gaps[0]).toBe(0);
    const lengths = gaps.slice(1).map((at, index) => at - (gaps[index] ?? 0));
    const mean = lengths.reduce((sum, gap) => sum + gap, 0) / lengths.length;
    const variance = lengths.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / lengths.length;
    // The mean of 20,000 exponential gaps of 2 s lies within 0.06 s in all but 1 of 20,000 runs; its deviation equals its mean.
    expect(mean).toBeWithin(1.94, 2.06);
    expect(Math.sqrt(variance)).toBeWithin(1.9, 2.1);
  });

  test("draws the same city from the same seed and another one from another", () => {
    const city = (seed: number): readonly Request[] => requests(generated(seed), seed, { ratePerSecond: 1, count: 200 });
    expect(city(7)).toEqual(city(7));
    expect(city(8)).not.toEqual(city(7));
  });

  test("keeps trips inside the market", () => {
    for (const { pickup, dropoff } of requests(generated(5), 5, { ratePerSecond: 1, count: 2_000 })) {
      expect(city.contains(pickup) && city.contains(dropoff)).toBe(true);
    }
  });

  test("is not shifted by what is sampled for placing drivers", () => {
    const source = generated(9);
    source.sample(createRandom(1));
    expect(requests(source, 9, { ratePerSecond: 1, count: 20 })).toEqual(requests(generated(9), 9, { ratePerSecond: 1, count: 20 }));
  });
});

describe("createFileTrips()", () => {
  const header = "pickup_time,dropoff_time,pickup_latitude,pickup_longitude,dropoff_latitude,dropoff_longitude,passengers";
  const row = (second: number, latitude: number): string =>
    `2015-01-15T13:00:${String(second).padStart(2, "0")}Z,2015-01-15T13:20:00Z,${latitude},-73.98,40.76,-73.97,1`;
  const file = parseTrips([header, row(0, 40.75), row(10, 40.751), row(40, 40.752), row(20, 48.1)].join("\n"));

  test("draws every trip inside the market once before any comes again", () => {
    const source = createFileTrips({ file, city, random: createRandom(1) });
    const drawn = Array.from({ length: 6 }, () => source.draw().pickup.latitude);
    expect(drawn.slice(0, 3).sort()).toEqual([40.75, 40.751, 40.752]);
    expect(drawn.slice(3).sort()).toEqual([40.75, 40.751, 40.752]);
    expect(source.outside).toBe(1);
  });

  test("comes at the file's mean rate", () => {
    expect(fileRate(file)).toBe(0.1);
  });
});

test("fleetRate() grows with the fleet, and shrinks when a speedup makes the platform's own delays longer in the city's seconds", () => {
  const rate = (drivers: number, speedup: number): number => fleetRate({ source: generated(1), drivers, speedup, random: createRandom(1) });
  expect(rate(200, 1)).toBeGreaterThan(1.9 * rate(100, 1));
  expect(rate(100, 20)).toBeLessThan(rate(100, 1));
  // 100 drivers at a load of 0.8, each held by a ride for five to thirty minutes.
  expect(rate(100, 1)).toBeWithin(80 / 1_800, 80 / 300);
});
