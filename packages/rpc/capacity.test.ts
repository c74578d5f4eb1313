/** Admission: a smooth rate, a bounded number at once, and a delay for everybody else. */
import { expect, test } from "bun:test";
import { ConnectError } from "@connectrpc/connect";
import { RetryInfoSchema } from "@ridegrid/contracts/gen/google/rpc/error_details_pb";
import { createCapacity } from "./capacity.ts";
import { overloadDelayMinMs, overloadDelaySpreadMs } from "./limits.ts";
import { reasonOf } from "./refusal-error.ts";

test("createCapacity() admits its rate and no burst above a fifth of a second", () => {
  let nowMs = 1_000;
  const capacity = createCapacity({ clock: { nowMs: () => nowMs }, random: dice(), requestsPerSecond: 50, inFlightMax: 10 });
  const admitted = (offered: number): number => Array.from({ length: offered }).filter(() => refusalOf(() => capacity.admit()) === undefined).length;
  expect(admitted(100)).toBe(10);
  let total = 0;
  for (let tick = 0; tick < 100; tick++) {
    nowMs += 10;
    total += admitted(5);
  }
  expect(total).toBe(50);
  nowMs += 3_600_000;
  expect(admitted(100)).toBe(10);
});

test("createCapacity() counts until left, and says when to come back, not to all the same", () => {
  const capacity = createCapacity({ clock: { nowMs: () => 0 }, random: dice(), requestsPerSecond: undefined, inFlightMax: 2 });
  const [leave] = [capacity.enter(), capacity.enter()];
  const delays = Array.from({ length: 20 }, () => {
    const refusal = refusalOf(() => void capacity.enter());
    expect(reasonOf(refusal)).toBe("OVERLOADED");
    const delay = refusal?.findDetails(RetryInfoSchema)[0]?.retryDelay;
    return Number(delay?.seconds) * 1_000 + Number(delay?.nanos) / 1e6;
  });
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(overloadDelayMinMs);
  expect(Math.max(...delays)).toBeLessThanOrEqual(overloadDelayMinMs + overloadDelaySpreadMs);
  expect(new Set(delays).size).toBeGreaterThan(10);
  leave?.();
  capacity.enter();
});

/** The golden ratio's multiples, which never repeat and leave no gap. */
function dice(): { next(): number } {
  let rolled = 0;
  return { next: () => (rolled = (rolled + 0.618_033_988_75) % 1) };
}

function refusalOf(act: () => void): ConnectError | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof ConnectError) return error;
    throw error;
  }
}
