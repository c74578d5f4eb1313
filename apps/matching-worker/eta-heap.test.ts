/** The heap against a sorted list. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { createEtaHeap } from "./eta-heap.ts";

test("pop() answers the least travel time, equal ones in order of their rows, over any history", () => {
  const heap = createEtaHeap();
  const step = fc.option(fc.oneof(fc.integer({ min: 0, max: 5 }), fc.double({ min: 0, max: 100, noNaN: true })));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 3_000, size: "max" }), (steps) => {
      heap.clear();
      let expected: { readonly row: number; readonly eta: number }[] = [];
      steps.forEach((eta, row) => {
        if (eta === null) {
          const least = expected.reduce<(typeof expected)[number] | null>((best, one) => (best === null || one.eta < best.eta ? one : best), null);
          expect(heap.pop()).toBe(least?.row ?? -1);
          expected = expected.filter((one) => one !== least);
        } else {
          heap.push(row, eta);
          expected.push({ row, eta });
        }
      });
      for (const { row } of expected.toSorted((a, b) => a.eta - b.eta || a.row - b.row)) expect(heap.pop()).toBe(row);
      expect(heap.pop()).toBe(-1);
    }),
    { seed: 11, numRuns: 20 },
  );
});
