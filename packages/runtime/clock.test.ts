/** The corrected clock: what it adds, and when it raises an alarm. */
import { expect, test } from "bun:test";
import { createCorrectedClock } from "./clock.ts";
import { createLogger } from "./logger.ts";

/** A machine whose clock reads `atMs` and on which each round trip takes the next of `tripsMs`. */
function machine(startMs: number, tripsMs: readonly number[], aheadMs: number) {
  let atMs = startMs;
  let trip = 0;
  const local = { nowMs: () => atMs };
  const readDbNow = async (): Promise<number> => {
    const tripMs = tripsMs[trip++ % tripsMs.length] ?? 0;
    // The primary answers when three quarters of the trip are over: the midpoint is wrong by a quarter of it.
    const answer = atMs + tripMs * 0.75 - aheadMs;
    atMs += tripMs;
    return answer;
  };
  return { local, readDbNow };
}

test("createCorrectedClock() takes the midpoint of the shortest round trip", async () => {
  const { local, readDbNow } = machine(1_000_000, [400, 8, 100], 300_000);
  const clock = createCorrectedClock(readDbNow, { local });
  expect(clock.nowMs()).toBe(local.nowMs());
  await clock.measure();
  expect(clock.offsetMs()).toBe(-300_000 + 2);
  expect(clock.nowMs()).toBe(local.nowMs() - 300_000 + 2);
});

test.each([
  [999, 0],
  [1_001, 1],
])("createCorrectedClock() with a machine %p ms off says so %p times", async (aheadMs, times) => {
  const lines: string[] = [];
  const { local, readDbNow } = machine(0, [0], aheadMs);
  await createCorrectedClock(readDbNow, { local, logger: createLogger({ format: "json", level: "info", write: (line) => lines.push(line) }) }).measure();
  expect(lines).toHaveLength(times);
});

test("createCorrectedClock() keeps its last offset when the primary is away", async () => {
  let away = false;
  const clock = createCorrectedClock(async () => (away ? Promise.reject(new Error("away")) : 5_000), { local: { nowMs: () => 0 } });
  await clock.measure();
  away = true;
  expect(await clock.measure().then(() => "measured", String)).toBe("Error: away");
  expect(clock.offsetMs()).toBe(5_000);
});
