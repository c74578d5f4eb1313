/** The small form of `overload.soak.ts`: what is over the capacity is refused at once, and what is not is served. */
import { expect, test } from "bun:test";
import { overload, shown } from "./overload.fixture.ts";

/** A machine on which other tests run has pauses of its own: the median is compared here, the p99 in the soak, which runs alone. */
const pauseMs = 500;

test("a coordinator offered ten times its capacity takes its capacity and refuses the rest at once, with a delay", async () => {
  const seconds = 3;
  const capacityPerSecond = 10;
  const result = await overload({ capacityPerSecond, seconds });
  console.log(shown(result));
  const { unloaded, overloaded, withoutDelay } = result;
  expect(unloaded.refused).toBe(0);
  expect(overloaded.accepted + overloaded.refused).toBe(overloaded.offered);
  expect(overloaded.accepted).toBeGreaterThanOrEqual(capacityPerSecond * seconds * 0.8);
  // A machine that stalls takes longer than the seconds it was asked for.
  expect(overloaded.accepted).toBeLessThanOrEqual(overloaded.offered * 0.5);
  expect(withoutDelay).toBe(0);
  expect(overloaded.acceptedMs.p50).toBeLessThanOrEqual(3 * unloaded.acceptedMs.p50 + pauseMs);
  expect(overloaded.refusedMs.p50).toBeLessThanOrEqual(unloaded.acceptedMs.p50 + pauseMs);
}, 60_000);
