/** Twenty seconds at ten times the capacity: accepted requests keep their p99 within three times the unloaded one. */
import { expect, test } from "bun:test";
import { overload, shown } from "./overload.fixture.ts";

test("at 500 requests a second for a capacity of 50, what is accepted stays within three times its p99", async () => {
  const seconds = 20;
  const capacityPerSecond = 50;
  const result = await overload({ capacityPerSecond, seconds });
  console.log(shown(result));
  const { unloaded, overloaded, withoutDelay } = result;
  expect(unloaded.refused).toBe(0);
  expect(overloaded.accepted).toBeGreaterThanOrEqual(capacityPerSecond * seconds * 0.9);
  expect(overloaded.accepted).toBeLessThanOrEqual(capacityPerSecond * seconds * 1.2);
  expect(withoutDelay).toBe(0);
  expect(overloaded.acceptedMs.p99).toBeLessThanOrEqual(3 * unloaded.acceptedMs.p99);
}, 300_000);
