/** Waiting for a condition, and what the wait says when it was in vain. */
import { expect, test } from "bun:test";
import { createSeededRandom } from "./seeded-random.ts";
import { createSequentialIds } from "./sequential-ids.ts";
import { eventually } from "./eventually.ts";

test("eventually() answers what the check answered, after failures and refusals", async () => {
  const answers = [() => false, () => undefined, () => Promise.reject(new Error("not yet")), () => 7];
  expect(await eventually(() => answers.shift()?.() ?? null)).toBe(7);
});

test("eventually() says what it waited for and what it last saw", async () => {
  const check = (): never => {
    throw new Error("ride is still requested");
  };
  const message = await eventually(check, { timeoutMs: 30, what: "the ride to be offered" }).catch(String);
  expect(message).toBe("Error: Waited 30 ms in vain for the ride to be offered: it last failed with ride is still requested");
});

test("createSequentialIds() makes distinct UUIDv7s in order, apart by seed", () => {
  const [left, right] = [createSequentialIds(1), createSequentialIds(2)];
  const ids = [left.uuid(), left.uuid(), right.uuid()];
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(new Set(ids).size).toBe(3);
  expect(ids.slice(0, 2).toSorted()).toEqual(ids.slice(0, 2));
});

test("createSeededRandom() repeats itself for one seed and differs for another, evenly over [0, 1)", () => {
  const draw = (seed: number): number[] => {
    const random = createSeededRandom(seed);
    return Array.from({ length: 10_000 }, () => random.next());
  };
  expect(draw(1)).toEqual(draw(1));
  expect(draw(1).slice(0, 3)).not.toEqual(draw(2).slice(0, 3));
  const mean = draw(3).reduce((sum, value) => sum + value, 0) / 10_000;
  expect(mean).toBeGreaterThan(0.49);
  expect(mean).toBeLessThan(0.51);
  expect(draw(4).every((value) => value >= 0 && value < 1)).toBe(true);
});
