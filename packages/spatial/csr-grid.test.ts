/** The grid against brute force. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createCsrGrid, createNeighbors, type Positions } from "./csr-grid.ts";

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

type Point = { readonly x: number; readonly y: number; readonly eligible: boolean };

function positionsOf(points: readonly Point[]): Positions {
  return { x: Float32Array.from(points, (one) => one.x), y: Float32Array.from(points, (one) => one.y) };
}

function eligibleOf(points: readonly Point[]): Int32Array {
  return Int32Array.from(points.flatMap(({ eligible }, slot) => (eligible ? [slot] : [])));
}

function bruteForce(positions: Positions, points: readonly Point[], from: { x: number; y: number; k: number; radius: number }): number[] {
  return points
    .flatMap((one, slot) => (one.eligible ? [(positions.x[slot]! - from.x) ** 2 + (positions.y[slot]! - from.y) ** 2] : []))
    .filter((squared) => squared <= from.radius ** 2)
    .sort((a, b) => a - b)
    .slice(0, from.k);
}

describe("CsrGrid", () => {
  test("nearest() equals brute force for any points, eligibility, query, k and radius", () => {
    const grid = createCsrGrid();
    fc.assert(
      fc.property(fc.array(point, { maxLength: 200, size: "max" }), fc.array(query, { minLength: 1, maxLength: 8 }), (points, queries) => {
        const positions = positionsOf(points);
        grid.rebuild(positions, eligibleOf(points));
        for (const from of queries) {
          const found = createNeighbors(from.k);
          grid.nearest(from, from.radius, found);
          expect([...found.squaredMeters.subarray(0, found.count)]).toEqual(bruteForce(positions, points, from));
          const slots = [...found.slots.subarray(0, found.count)];
          expect(new Set(slots).size).toBe(found.count);
          slots.forEach((slot, rank) => {
            expect(points[slot]!.eligible).toBe(true);
            expect((positions.x[slot]! - from.x) ** 2 + (positions.y[slot]! - from.y) ** 2).toBe(found.squaredMeters[rank]!);
          });
        }
      }),
      { seed, numRuns: 400 },
    );
  });

  test("nearest() answers for the last rebuild, whatever moved since", () => {
    const positions = positionsOf([
      { x: 0, y: 0, eligible: true },
      { x: 100, y: 0, eligible: true },
    ]);
    const grid = createCsrGrid();
    const found = createNeighbors(1);
    grid.rebuild(positions, Int32Array.of(0, 1));
    positions.x[0] = 5_000;
    grid.nearest({ x: 1, y: 0 }, 1_000, found);
    expect([found.count, found.slots[0]]).toEqual([1, 0]);
    grid.rebuild(positions, Int32Array.of(0, 1));
    grid.nearest({ x: 1, y: 0 }, 1_000, found);
    expect([found.count, found.slots[0]]).toEqual([1, 1]);
  });

  test("take() leaves the others exactly, has() tells who is left, and a rebuild has everybody again", () => {
    const grid = createCsrGrid();
    const taking = fc.tuple(fc.array(point, { maxLength: 60, size: "max" }), fc.array(fc.integer({ min: -1, max: 70 }), { maxLength: 40, size: "max" }), query);
    fc.assert(
      fc.property(taking, ([points, taken, from]) => {
        const positions = positionsOf(points);
        const rebuild = (): void => grid.rebuild(positions, eligibleOf(points));
        rebuild();
        for (const slot of taken) grid.take(slot);
        const left = points.map((one, slot) => ({ ...one, eligible: one.eligible && !taken.includes(slot) }));
        const found = createNeighbors(from.k);
        grid.nearest(from, from.radius, found);
        expect([...found.squaredMeters.subarray(0, found.count)]).toEqual(bruteForce(positions, left, from));
        for (let slot = -1; slot < points.length + 5; slot++) expect(grid.has(slot)).toBe(left[slot]?.eligible ?? false);
        rebuild();
        for (let slot = 0; slot < points.length; slot++) expect(grid.has(slot)).toBe(points[slot]!.eligible);
      }),
      { seed, numRuns: 300 },
    );
  });

  test("a rebuild without eligible points finds nothing", () => {
    const grid = createCsrGrid();
    const found = createNeighbors(4);
    grid.rebuild(positionsOf([{ x: 1, y: 1, eligible: false }]), new Int32Array());
    grid.nearest({ x: 1, y: 1 }, Infinity, found);
    expect([grid.size, found.count]).toEqual([0, 0]);
  });
});
