/** The search against a look at every driver, where travel times follow distances only loosely. */
import { expect, test } from "bun:test";
import { haversineMeters, type LatLng } from "@ridegrid/domain";
import { createCsrGrid, createNeighbors } from "@ridegrid/spatial";
import fc from "fast-check";
import { createCandidateSearches } from "./candidate-searches.ts";
import { createDriverBook } from "./driver-book.ts";
import { candidatesShownMax } from "./limits.ts";
import { nyc, startMs } from "./matching.fixtures.ts";
import type { TravelTime } from "./travel-time.ts";

const mps = 8;
/** Streets: as the crow flies from some corners, three times as long from others. */
const streets: TravelTime = {
  seconds: (from, to) => (haversineMeters(from, to) * (1 + (Math.floor(from.latitude * 1e5) % 7) / 3)) / mps,
  reachMeters: (seconds) => seconds * mps,
};

const near = (degrees: number) => fc.double({ min: -degrees, max: degrees, noNaN: true });
/** A stand at the airport, downtown, or all over the city. */
const spread = fc.constantFrom(0.0001, 0.02, 0.2);
const drivers = fc.array(fc.record({ spread, x: near(1), y: near(1), mayAsk: fc.boolean() }), { maxLength: 300, size: "max" });
const pickup = fc.record({ spread, x: near(1), y: near(1) });
const pickups = fc.array(pickup, { minLength: 1, maxLength: 4 });
const takenBetween = fc.array(fc.array(fc.nat(300), { maxLength: 12, size: "max" }), { maxLength: 30, size: "max" });
type Spot = { readonly spread: number; readonly x: number; readonly y: number };
const place = ({ spread: degrees, x, y }: Spot): LatLng => ({
  latitude: nyc.center.latitude + y * degrees,
  longitude: nyc.center.longitude + x * degrees,
});

test("next() hands out the fastest driver left who may be asked, whoever is taken in between and whoever else searches, until nobody is near enough", () => {
  fc.assert(
    fc.property(drivers, pickups, takenBetween, fc.constantFrom(60, 600, 3_600), (all, from, takes, etaMaxSeconds) => {
      const { searches, grid, placeOf, secondsFrom } = cityOf(all, etaMaxSeconds);
      const mayAsk = (row: number, slot: number): boolean => all[slot]!.mayAsk || (slot + row) % 5 === 0;
      const seconds = from.map((pickup) => all.map((_, slot) => secondsFrom(slot, place(pickup))));
      const left = seconds.map((its, row) => new Set(its.flatMap((one, slot) => (mayAsk(row, slot) && one <= etaMaxSeconds ? [slot] : []))));
      searches.begin(
        from.map((pickup) => ({ pickup: place(pickup) })),
        (row, at) => mayAsk(row, grid.slotAt(at)),
      );
      const searching = new Set(from.keys());
      for (let step = 0; searching.size > 0; step++) {
        const gone = new Set(takes[step]);
        for (const row of searching) {
          const best = [...left[row]!].sort((a, b) => seconds[row]![a]! - seconds[row]![b]! || a - b)[0];
          expect(searches.next(row)).toBe(best !== undefined);
          if (best === undefined) {
            searching.delete(row);
            continue;
          }
          expect([grid.slotAt(searches.place(row)), searches.etaSeconds(row)]).toEqual([best, seconds[row]![best]!]);
          gone.add(best);
        }
        for (const slot of gone) {
          const at = placeOf.get(slot);
          if (at !== undefined) grid.take(at);
          for (const its of left) its.delete(slot);
        }
      }
    }),
    { seed: 13, numRuns: 300 },
  );
});

test("nearestPlace() and nearestSeconds() tell who was nearest at first, however far the search went since", () => {
  fc.assert(
    fc.property(drivers, pickup, fc.nat(300), (all, from, steps) => {
      const { searches, grid, placeOf, secondsFrom, nearestTo } = cityOf(all, 3_600);
      searches.begin([{ pickup: place(from) }], () => true);
      for (let step = 0; step <= steps && searches.next(0); step++) grid.take(searches.place(0));
      const nearest = nearestTo(place(from)).slice(0, candidatesShownMax);
      const ranks = Array.from({ length: candidatesShownMax }, (_, rank) => rank);
      expect(ranks.map((rank) => searches.nearestPlace(0, rank))).toEqual(ranks.map((rank) => placeOf.get(nearest[rank] ?? -1) ?? -1));
      nearest.forEach((slot, rank) => expect(searches.nearestSeconds(0, rank)).toBe(secondsFrom(slot, place(from))));
    }),
    { seed: 17, numRuns: 200 },
  );
});

function cityOf(all: readonly Spot[], etaMaxSeconds: number) {
  const { points, projection, ...book } = createDriverBook(nyc);
  all.forEach((one, index) => book.place({ driverId: `d-${String(index).padStart(3, "0")}`, ...place(one), observedAtMs: startMs }));
  const { x, y } = points.columns;
  const grid = createCsrGrid();
  const everybody = Int32Array.from({ length: points.slotEnd }, (_, slot) => slot);
  grid.rebuild(points.columns, everybody);
  const found = createNeighbors(Math.max(1, all.length));
  grid.nearest({ x: 0, y: 0 }, Infinity, found);
  const placeOf = new Map(Array.from(found.places.subarray(0, found.count), (at) => [grid.slotAt(at), at]));
  return {
    grid,
    placeOf,
    searches: createCandidateSearches({ grid, points, projection, travelTime: streets, etaMaxSeconds }),
    secondsFrom: (slot: number, to: LatLng) => streets.seconds(projection.toLatLng({ x: x[slot]!, y: y[slot]! }), to),
    nearestTo(to: LatLng) {
      const at = projection.toLocal(to);
      const squared = Array.from(everybody, (slot) => (x[slot]! - at.x) ** 2 + (y[slot]! - at.y) ** 2);
      return [...everybody].sort((a, b) => squared[a]! - squared[b]! || a - b);
    },
  };
}
