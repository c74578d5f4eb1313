/** The grid against brute force. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createCsrGrid, createNeighbors, type CsrGrid, type Positions } from "./csr-grid.ts";

const seed = 20_260_101;
const coordinate = fc.oneof(
  fc.double({ min: -50_000, max: 50_000, noNaN: true }),
  fc.double({ min: -200, max: 200, noNaN: true }),
  fc.integer({ min: -40, max: 40 }),
);
const point = fc.record({ x: coordinate, y: coordinate, eligible: fc.boolean() });
const query = fc.record({
  x: coordinate,
  y: coordinate,
  k: fc.integer({ min: 1, max: 20 }),
  radius: fc.oneof(fc.double({ min: 0, max: 120_000, noNaN: true }), fc.constant(Infinity)),
});

type Query = { readonly x: number; readonly y: number; readonly k: number; readonly radius: number };
type Point = { readonly x: number; readonly y: number; readonly eligible: boolean };

function positionsOf(points: readonly Point[]): Positions {
  return { x: Float32Array.from(points, (one) => one.x), y: Float32Array.from(points, (one) => one.y) };
}

function eligibleOf(points: readonly Point[]): Int32Array {
  return Int32Array.from(points.flatMap(({ eligible }, slot) => (eligible ? [slot] : [])));
}

/** Slots and squared distances of the nearest, equally near ones by slot. */
function bruteForce(positions: Positions, points: readonly Point[], from: Query): [number, number][] {
  return points
    .flatMap((one, slot): [number, number][] => (one.eligible ? [[slot, (positions.x[slot]! - from.x) ** 2 + (positions.y[slot]! - from.y) ** 2]] : []))
    .filter(([, squared]) => squared <= from.radius ** 2)
    .sort(([, a], [, b]) => a - b)
    .slice(0, from.k);
}

function nearest(grid: CsrGrid, from: Query): [number, number][] {
  const found = createNeighbors(from.k);
  grid.nearest(from, from.radius, found);
  return Array.from({ length: found.count }, (_, rank) => [grid.slotAt(found.places[rank]!), found.squaredMeters[rank]!]);
}

/** By slot, by way of a search for all. */
function placesOf(grid: CsrGrid): ReadonlyMap<number, number> {
  const all = createNeighbors(Math.max(1, grid.size));
  grid.nearest({ x: 0, y: 0 }, Infinity, all);
  return new Map(Array.from(all.places.subarray(0, all.count), (place) => [grid.slotAt(place), place]));
}

describe("CsrGrid", () => {
  test("nearest() equals brute force for any points, eligibility, query, k and radius", () => {
    const grid = createCsrGrid();
    fc.assert(
      fc.property(fc.array(point, { maxLength: 200, size: "max" }), fc.array(query, { minLength: 1, maxLength: 8 }), (points, queries) => {
        const positions = positionsOf(points);
        grid.rebuild(positions, eligibleOf(points));
        for (const from of queries) expect(nearest(grid, from)).toEqual(bruteForce(positions, points, from));
      }),
      { seed, numRuns: 400 },
    );
  });

  test("nearest() equals brute force in a crowd with a few far away, whose cells are the city's outermost", () => {
    const grid = createCsrGrid();
    const downtown = fc.record({ x: fc.double({ min: -300, max: 300, noNaN: true }), y: fc.double({ min: -300, max: 300, noNaN: true }) });
    const far = fc.record({ x: coordinate, y: coordinate });
    const crowd = fc.array(downtown, { minLength: 300, maxLength: 500, size: "max" });
    fc.assert(
      fc.property(crowd, fc.array(far, { maxLength: 4 }), fc.array(query, { minLength: 1, maxLength: 8 }), (many, few, queries) => {
        const points = [...few, ...many].map((one) => ({ ...one, eligible: true }));
        const positions = positionsOf(points);
        grid.rebuild(positions, eligibleOf(points));
        for (const from of queries) expect(nearest(grid, from)).toEqual(bruteForce(positions, points, from));
      }),
      { seed, numRuns: 60, endOnFailure: true },
    );
  });

  test("nearest() answers for the last rebuild, whatever moved since", () => {
    const positions = positionsOf([
      { x: 0, y: 0, eligible: true },
      { x: 100, y: 0, eligible: true },
    ]);
    const grid = createCsrGrid();
    const from = { x: 1, y: 0, k: 1, radius: 1_000 };
    grid.rebuild(positions, Int32Array.of(0, 1));
    positions.x[0] = 5_000;
    expect(nearest(grid, from)).toEqual([[0, 1]]);
    const [place] = placesOf(grid).values();
    expect([grid.xAt(place!), grid.yAt(place!)]).toEqual([0, 0]);
    grid.rebuild(positions, Int32Array.of(0, 1));
    expect(nearest(grid, from)).toEqual([[1, 99 ** 2]]);
  });

  test("take() leaves the others exactly, has() tells who is left, what is known of a place stays, and a rebuild has everybody again", () => {
    const grid = createCsrGrid();
    const taking = fc.tuple(fc.array(point, { maxLength: 60, size: "max" }), fc.array(fc.integer({ min: 0, max: 70 }), { maxLength: 40, size: "max" }), query);
    fc.assert(
      fc.property(taking, ([points, taken, from]) => {
        const positions = positionsOf(points);
        grid.rebuild(positions, eligibleOf(points));
        const places = placesOf(grid);
        for (const slot of taken) if (places.has(slot)) grid.take(places.get(slot)!);
        const left = points.map((one, slot) => ({ ...one, eligible: one.eligible && !taken.includes(slot) }));
        expect(nearest(grid, from)).toEqual(bruteForce(positions, left, from));
        for (const [slot, place] of places) {
          expect(grid.has(place)).toBe(left[slot]!.eligible);
          expect([grid.slotAt(place), grid.xAt(place), grid.yAt(place)]).toEqual([slot, positions.x[slot]!, positions.y[slot]!]);
        }
        grid.rebuild(positions, eligibleOf(points));
        expect([...placesOf(grid).keys()].sort((a, b) => a - b)).toEqual([...eligibleOf(points)]);
      }),
      { seed, numRuns: 300 },
    );
  });

  test("a rebuild without eligible points finds nothing", () => {
    const grid = createCsrGrid();
    grid.rebuild(positionsOf([{ x: 1, y: 1, eligible: false }]), new Int32Array());
    expect([grid.size, nearest(grid, { x: 1, y: 1, k: 4, radius: Infinity }).length]).toEqual([0, 0]);
  });
});
