/** A shared bucket that fails costs one call its time-out, then rests; the local bucket goes on limiting. */
import { expect, test } from "bun:test";
import { createManualClock } from "@ridegrid/testing";
import { createFallbackRateLimiter } from "./rate-limiter.fallback.ts";
import { createMemoryRateLimiter } from "./rate-limiter.memory.ts";
import type { RateLimiter } from "./rate-limiter.ts";

test("createFallbackRateLimiter() limits locally while the shared bucket is away, and goes back to it", async () => {
  const clock = createManualClock(1_000_000);
  const bucket = { capacity: 2, refillPerSecond: 0.001 };
  let away = false;
  let asked = 0;
  const memory = createMemoryRateLimiter({ bucket, clock, keysMax: 10 });
  const shared: RateLimiter = {
    take(key, cost) {
      asked++;
      return away ? Promise.reject(new Error("away")) : memory.take(key, cost);
    },
  };
  let fallbacks = 0;
  const limiter = createFallbackRateLimiter({
    shared,
    local: createMemoryRateLimiter({ bucket, clock, keysMax: 10 }),
    clock,
    restMs: 1_000,
    onFallback: () => void fallbacks++,
  });

  expect((await limiter.take("a", 1)).remaining).toBe(1);
  away = true;
  expect([(await limiter.take("a", 1)).allowed, (await limiter.take("a", 1)).allowed, (await limiter.take("a", 1)).allowed]).toEqual([true, true, false]);
  expect({ asked, fallbacks }).toEqual({ asked: 2, fallbacks: 3 });
  away = false;
  clock.advance(1_000);
  expect((await limiter.take("a", 1)).allowed).toBe(true);
  expect({ asked, fallbacks }).toEqual({ asked: 3, fallbacks: 3 });
});
