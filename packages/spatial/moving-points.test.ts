/** Slots of moving points over any history. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createMovingPoints } from "./moving-points.ts";

describe("MovingPoints", () => {
  test("claim() keeps a point's slot, its data and its neighbors apart over any history, and refuses above capacity", () => {
    const step = fc.record({ id: fc.integer({ min: 0, max: 30 }), leave: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
        const points = createMovingPoints({ capacity: 20, initial: 2 });
        const expected = new Map<string, number>();
        steps.forEach(({ id, leave }, at) => {
          const name = `d-${id}`;
          if (leave) {
            points.release(name);
            expected.delete(name);
          } else {
            const slot = points.claim(name);
            expect(slot === undefined).toBe(!expected.has(name) && expected.size === 20);
            if (slot !== undefined) {
              if (!expected.has(name)) expect(points.columns.observedAtMs[slot]).toBe(0);
              points.columns.observedAtMs[slot] = at + 1;
              expected.set(name, at + 1);
            }
          }
          expect(points.size).toBe(expected.size);
          for (const [known, observed] of expected) {
            const slot = points.slotOf(known)!;
            expect(points.idAt(slot)).toBe(known);
            expect(points.columns.observedAtMs[slot]).toBe(observed);
            expect(slot).toBeLessThan(points.slotEnd);
          }
        });
        expect(points.slotEnd).toBeLessThanOrEqual(20);
      }),
      { seed: 7, numRuns: 100 },
    );
  });
});
