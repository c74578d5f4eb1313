/** Both rate limiters pass one suite; the Upstash one against a real Redis, stopped, slow and flushed. */
import { afterAll, describe, expect, test } from "bun:test";
import { createManualClock, type RedisServer, redisServerMissing, startRedisServer, startUpstashBridge } from "@ridegrid/testing";
import { Redis } from "@upstash/redis";
import { rateLimiterConformance } from "./rate-limiter.conformance.ts";
import { createMemoryRateLimiter } from "./rate-limiter.memory.ts";
import { createUpstashRateLimiter } from "./rate-limiter.upstash.ts";

const clock = createManualClock(1_800_000_000_000);
rateLimiterConformance("memory", {
  create: (bucket) => createMemoryRateLimiter({ bucket, clock, keysMax: 1_000 }),
  advance: async (ms) => void clock.advance(ms),
});

test("the memory rate limiter forgets the bucket used longest ago when it is full", async () => {
  const limiter = createMemoryRateLimiter({ bucket: { capacity: 1, refillPerSecond: 0.001 }, clock, keysMax: 2 });
  for (const key of ["a", "b", "c"]) expect((await limiter.take(key, 1)).allowed).toBe(true);
  expect((await limiter.take("c", 1)).allowed).toBe(false);
  expect((await limiter.take("a", 1)).allowed).toBe(true);
});

const missing = redisServerMissing();
if (missing === null) {
  const server: RedisServer = await startRedisServer();
  const bridge = startUpstashBridge({ redisPort: server.port, token: "test-token" });
  const redis = new Redis({ url: bridge.url, token: bridge.token, retry: false, enableTelemetry: false });
  afterAll(async () => {
    await bridge.stop();
    await server.stop();
  });
  const create = (timeoutMs: number) => (bucket: { capacity: number; refillPerSecond: number }) =>
    createUpstashRateLimiter({ redis, bucket, prefix: "test", timeoutMs });

  rateLimiterConformance("Upstash", { create: create(1_000), advance: (ms) => Bun.sleep(ms) });

  describe("the Upstash rate limiter", () => {
    const bucket = { capacity: 1, refillPerSecond: 0.01 };

    test("throws within its time-out when Redis is slow", async () => {
      bridge.delayMs = 2_000;
      const startedAt = performance.now();
      const outcome = await Promise.resolve(create(100)(bucket).take("slow", 1)).catch((error: unknown) => error);
      bridge.delayMs = 0;
      expect(outcome).toBeInstanceOf(Error);
      expect(performance.now() - startedAt).toBeLessThan(1_000);
    });

    test("starts anew when Redis is flushed", async () => {
      const limiter = create(1_000)(bucket);
      expect((await limiter.take("flushed", 1)).allowed).toBe(true);
      expect((await limiter.take("flushed", 1)).allowed).toBe(false);
      await redis.flushall();
      expect((await limiter.take("flushed", 1)).allowed).toBe(true);
    });
  });
} else {
  test.skip(`the Upstash rate limiter (${missing})`, () => {});
}
