/** A bounded map forgets the oldest, never the newest. */
import { expect, test } from "bun:test";
import { putBounded } from "./bounded-map.ts";

test("putBounded() keeps at most the bound and never less than nine tenths of it, those put last", () => {
  const map = new Map<number, number>();
  const max = 100;
  for (let put = 0; put < 1_000; put++) {
    putBounded(map, [put, put], max);
    expect(map.size).toBeLessThanOrEqual(max);
    if (put >= max) expect(map.size).toBeGreaterThanOrEqual(90);
    expect([...map.keys()]).toEqual(Array.from({ length: map.size }, (_, index) => put - map.size + 1 + index));
  }
});

test("putBounded() counts a key put again as new", () => {
  const map = new Map<string, number>();
  for (const key of ["a", "b", "a", "c"]) putBounded(map, [key, 1], 2);
  expect([...map.keys()]).toEqual(["a", "c"]);
});
