/** The seeded dice: same seed same numbers, streams apart from one another, and the shapes they promise. */
import { expect, test } from "bun:test";
import { createRandom, type Random } from "./random.ts";

const take = (random: Random, count: number): readonly number[] => Array.from({ length: count }, () => random.next());

test("createRandom() repeats itself for a seed and differs between seeds and between forks", () => {
  expect(take(createRandom(7), 100)).toEqual(take(createRandom(7), 100));
  expect(take(createRandom(8), 100)).not.toEqual(take(createRandom(7), 100));
  expect(take(createRandom(7).fork("a"), 100)).not.toEqual(take(createRandom(7).fork("b"), 100));
});

test("fork() does not depend on what its parent drew", () => {
  const parent = createRandom(7);
  take(parent, 50);
  expect(take(parent.fork("a"), 10)).toEqual(take(createRandom(7).fork("a"), 10));
});

test("numbers spread evenly over 0 to 1", () => {
  const buckets = new Array<number>(10).fill(0);
  for (const value of take(createRandom(1), 100_000)) {
    const bucket = Math.floor(value * 10);
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
  }
  for (const size of buckets) expect(size).toBeWithin(9_600, 10_400);
});
