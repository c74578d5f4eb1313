/** The search against a look at every driver, where travel times follow distances only loosely. */
import { expect, test } from "bun:test";
import { haversineMeters } from "@ridegrid/domain";
import { createCsrGrid } from "@ridegrid/spatial";
import fc from "fast-check";
import { createCandidateSearch } from "./candidate-search.ts";
import { createDriverBook } from "./driver-book.ts";
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
const takenBetween = fc.array(fc.array(fc.nat(300), { maxLength: 12, size: "max" }), { maxLength: 30, size: "max" });
const place = ({ spread: degrees, x, y }: { readonly spread: number; readonly x: number; readonly y: number }) => ({
  latitude: nyc.center.latitude + y * degrees,
  longitude: nyc.center.longitude + x * degrees,
});

test("next() hands out the fastest driver left who may be asked, whoever is taken in between, until nobody is near enough", () => {
  fc.assert(
    fc.property(drivers, pickup, takenBetween, fc.constantFrom(60, 600, 3_600), (all, from, takes, etaMaxSeconds) => {
      const { points, projection, ...book } = createDriverBook(nyc);
      all.forEach((one, index) => book.place({ driverId: `d-${String(index).padStart(3, "0")}`, ...place(one), observedAtMs: startMs }));
      const grid = createCsrGrid();
      grid.rebuild(
        points.columns,
        Int32Array.from({ length: points.slotEnd }, (_, slot) => slot),
      );
      const search = createCandidateSearch({ grid, points, projection, travelTime: streets, etaMaxSeconds });
      const { x, y } = points.columns;
      const seconds = all.map((_, slot) => streets.seconds(projection.toLatLng({ x: x[slot]!, y: y[slot]! }), place(from)));
      const left = new Set(all.flatMap(({ mayAsk }, slot) => (mayAsk && seconds[slot]! <= etaMaxSeconds ? [slot] : [])));
      search.begin(place(from), (slot) => all[slot]!.mayAsk);
      for (let step = 0; ; step++) {
        const best = [...left].sort((a, b) => seconds[a]! - seconds[b]! || a - b)[0];
        expect(search.next()).toBe(best !== undefined);
        if (best === undefined) return;
        expect([search.slot, search.etaSeconds]).toEqual([best, seconds[best]!]);
        for (const slot of [best, ...(takes[step] ?? [])]) {
          grid.take(slot);
          left.delete(slot);
        }
      }
    }),
    { seed: 13, numRuns: 300 },
  );
});
