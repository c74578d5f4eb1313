/** Cells by squares against H3 itself. */
import { expect, test } from "bun:test";
import { cellAt, createProjection } from "@ridegrid/spatial";
import fc from "fast-check";
import { createCellIndex } from "./cell-index.ts";
import { cellSquareMeters, marketCellResolution } from "./limits.ts";
import { countCells } from "./market-cells.ts";
import { createMarketState } from "./market-state.ts";
import { availableDriver, nyc, rideRequested, startMs } from "./matching.fixtures.ts";
import { createHaversineTravelTime } from "./travel-time.haversine.ts";

const meters = fc.double({ min: -60_000, max: 60_000, noNaN: true });
const projection = createProjection(nyc.center);

test("at() names the H3 cell of a point no farther away than half a square's diagonal, the same one each time", () => {
  const cells = createCellIndex(projection);
  fc.assert(
    fc.property(meters, meters, (x, y) => {
      const name = cells.name(cells.at(x, y));
      expect(cells.name(cells.at(x, y))).toBe(name);
      const [half, corner] = [cellSquareMeters / 2, cellSquareMeters];
      const around = [-corner, -half, 0, half, corner].flatMap((dx) => [-corner, -half, 0, half, corner].map((dy) => ({ x: x + dx, y: y + dy })));
      expect(around.map((point) => cellAt(projection.toLatLng(point), marketCellResolution))).toContain(name);
    }),
    { seed: 17, numRuns: 2_000 },
  );
});

test("trim() forgets all squares above the bound and none below it; what is asked again is the same", () => {
  const cells = createCellIndex(projection, 100);
  const before = cells.name(cells.at(10, 10));
  for (let square = 0; square < 100; square++) cells.at(square * cellSquareMeters, 0);
  const far = cells.at(20_000, 20_000);
  expect(far).toBeGreaterThan(0);
  cells.trim();
  expect(cells.at(20_000, 20_000)).toBe(0);
  cells.trim();
  expect(cells.at(20_000, 20_000)).toBe(0);
  expect(cells.name(cells.at(10, 10))).toBe(before);
  expect(cells.at(10, 10)).toBe(1);
});

test("countCells() counts each free, fresh driver and each ride without a driver once, where they are", () => {
  const places = fc.array(
    fc.record({ latitude: fc.double({ min: 40.6, max: 40.9, noNaN: true }), ageMs: fc.constantFrom(1_000, 60_000), free: fc.boolean() }),
    {
      maxLength: 200,
      size: "max",
    },
  );
  fc.assert(
    fc.property(places, places, (drivers, riders) => {
      const state = createMarketState(nyc, createHaversineTravelTime(nyc.travel));
      const { cells } = state;
      const expected = new Map<string, { supply: number; demand: number }>();
      const count = (latitude: number, kind: "supply" | "demand"): void => {
        const { x, y } = projection.toLocal({ latitude, longitude: -73.98 });
        const name = cells.name(cells.at(Math.fround(x), Math.fround(y)));
        const known = expected.get(name) ?? { supply: 0, demand: 0 };
        known[kind]++;
        expected.set(name, known);
      };
      drivers.forEach(({ latitude, ageMs, free }, index) => {
        state.drivers.apply(availableDriver(`d-${index}`, { status: free ? "available" : "on_trip" }));
        state.drivers.place({ driverId: `d-${index}`, latitude, longitude: -73.98, observedAtMs: startMs - ageMs });
        if (free && ageMs === 1_000) count(latitude, "supply");
      });
      riders.forEach(({ latitude }, index) => {
        state.rides.apply(rideRequested(`ride-${index}`, { pickup: { latitude, longitude: -73.98 } }));
        count(latitude, "demand");
      });
      const counted = countCells(state, startMs).map(({ cell, supply, demand }) => [cell, { supply, demand }]);
      expect(counted).toEqual([...expected].toSorted(([a], [b]) => (a < b ? -1 : 1)));
    }),
    { seed: 18, numRuns: 50 },
  );
});
