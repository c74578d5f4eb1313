/** A driver on the map never moves backwards (I11), and the map is bounded. */
import { describe, expect, test } from "bun:test";
import { create } from "@bufbuild/protobuf";
import { PositionBatchSchema } from "@ridegrid/contracts/gen/event/v1/events_pb";
import { createSeededRandom } from "@ridegrid/testing";
import fc from "fast-check";
import { createLastPositions, type LastPositions } from "./last-positions.ts";

type Row = { readonly driver: string; readonly observedAtMs: number; readonly sequence: number; readonly latitude: number };

function seen(positions: LastPositions, rows: readonly Row[], latestMs = 1_000_000): number {
  const batch = create(PositionBatchSchema, {
    driverIds: rows.map((row) => row.driver),
    sequences: rows.map((row) => BigInt(row.sequence)),
    latitudes: rows.map((row) => row.latitude),
    longitudes: rows.map(() => -74),
    headingsDegrees: rows.map(() => 90),
    observeTimesMs: rows.map((row) => BigInt(row.observedAtMs)),
  });
  return positions.apply(batch, latestMs);
}

describe("last positions", () => {
  test("late, repeated and shuffled positions leave every driver at its newest", () => {
    for (let seed = 1; seed <= 100; seed++) {
      const random = createSeededRandom(seed);
      const way = Array.from({ length: 20 }, (_, index) => ({ driver: "d-1", observedAtMs: 1_000 + Math.floor(index / 2), sequence: index, latitude: index }));
      const positions = createLastPositions({ max: 10 });
      const shuffled = [...way, ...way].map((row) => ({ row, at: random.next() })).toSorted((left, right) => left.at - right.at);
      let newest = -1;
      for (const { row } of shuffled) {
        seen(positions, [row]);
        newest = Math.max(newest, row.sequence);
        expect({ seed, at: positions.get("d-1")?.latitude }).toEqual({ seed, at: newest });
      }
    }
  });

  test("a position from the future is dropped, so that later ones still count", () => {
    const positions = createLastPositions({ max: 10 });
    expect(seen(positions, [{ driver: "d-1", observedAtMs: 5_000, sequence: 9, latitude: 9 }], 4_000)).toBe(0);
    expect(seen(positions, [{ driver: "d-1", observedAtMs: 3_000, sequence: 1, latitude: 1 }], 4_000)).toBe(1);
    expect(positions.get("d-1")?.latitude).toBe(1);
  });

  test("above the bound the driver silent longest is forgotten", () => {
    const positions = createLastPositions({ max: 2 });
    const row = (driver: string, observedAtMs: number): Row => ({ driver, observedAtMs, sequence: 1, latitude: 1 });
    seen(positions, [row("d-1", 1), row("d-2", 2), row("d-1", 3), row("d-3", 4)]);
    expect([positions.get("d-1") !== undefined, positions.get("d-2") !== undefined, positions.get("d-3") !== undefined]).toEqual([true, false, true]);
    expect(positions.size()).toBe(2);
  });

  test("whatever is reported, it is what a plain map in order of the last change would be", () => {
    const row = fc.record({
      driver: fc.nat(12).map((number) => `d-${number}`),
      observedAtMs: fc.integer({ min: 1, max: 30 }),
      sequence: fc.nat(3),
      latitude: fc.double({ min: -90, max: 90, noNaN: true }),
    });
    const batches = fc.array(fc.array(row, { maxLength: 20, size: "max" }), { maxLength: 8, size: "max" });
    fc.assert(
      fc.property(batches, fc.integer({ min: 1, max: 14 }), fc.integer({ min: 10, max: 40 }), (reported, max, latestMs) => {
        const positions = createLastPositions({ max });
        const plain = new Map<string, Row>();
        for (const rows of reported) {
          let moved = 0;
          for (const one of rows) {
            const known = plain.get(one.driver);
            const isNewer =
              known === undefined || one.observedAtMs > known.observedAtMs || (one.observedAtMs === known.observedAtMs && one.sequence > known.sequence);
            if (!isNewer || one.observedAtMs > latestMs) continue;
            plain.delete(one.driver);
            plain.set(one.driver, one);
            moved++;
          }
          for (const driver of [...plain.keys()].slice(0, Math.max(0, plain.size - max))) plain.delete(driver);
          expect(seen(positions, rows, latestMs)).toBe(moved);
          const order = [...plain].map(([driver, { latitude }]) => [driver, latitude]);
          expect(positions.newest(100).map(([driver, { latitude }]) => [driver, latitude])).toEqual(order);
          expect(positions.newest(3).map(([driver]) => driver)).toEqual([...plain.keys()].slice(-3));
          expect(positions.size()).toBe(plain.size);
          for (let number = 0; number <= 12; number++) expect(positions.get(`d-${number}`)?.latitude).toBe(plain.get(`d-${number}`)?.latitude);
        }
      }),
      { seed: 19, numRuns: 200 },
    );
  });
});
