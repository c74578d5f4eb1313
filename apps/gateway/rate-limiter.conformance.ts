/** What every `RateLimiter` must do. Each adapter's test calls this; passing it is what "adapter" means. */
import { describe, expect, test } from "bun:test";
import type { Bucket, RateLimiter } from "./rate-limiter.ts";

export type RateLimiterHarness = {
  create(bucket: Bucket): RateLimiter;
  /** Lets so much time pass as the adapter sees it. */
  advance(ms: number): Promise<void>;
};

export function rateLimiterConformance(name: string, harness: RateLimiterHarness): void {
  const bucket: Bucket = { capacity: 6, refillPerSecond: 2 };
  const key = (): string => `key-${crypto.randomUUID()}`;

  describe(`${name} rate limiter`, () => {
    test("allows a burst up to the capacity, then refuses with the time to wait", async () => {
      const limiter = harness.create(bucket);
      const id = key();
      for (let taken = 1; taken <= 6; taken++)
        expect(await limiter.take(id, 1)).toMatchObject({ allowed: true, limit: 6, remaining: 6 - taken, retryAfterMs: 0 });
      const refused = await limiter.take(id, 1);
      expect(refused).toMatchObject({ allowed: false, remaining: 0 });
      expect(refused.retryAfterMs).toBeGreaterThan(0);
      expect(refused.retryAfterMs).toBeLessThanOrEqual(1_000);
    });

    test("takes as many tokens as a call costs, and none for a refused one", async () => {
      const limiter = harness.create(bucket);
      const id = key();
      expect(await limiter.take(id, 4)).toMatchObject({ allowed: true, remaining: 2 });
      expect((await limiter.take(id, 4)).allowed).toBe(false);
      expect(await limiter.take(id, 2)).toMatchObject({ allowed: true, remaining: 0 });
    });

    test("refills at its rate and never above its capacity", async () => {
      const limiter = harness.create({ capacity: 6, refillPerSecond: 4 });
      const id = key();
      await limiter.take(id, 6);
      await harness.advance(1_050);
      expect(await limiter.take(id, 4)).toMatchObject({ allowed: true });
      expect((await limiter.take(id, 6)).allowed).toBe(false);
      await harness.advance(2_050);
      expect(await limiter.take(id, 6)).toMatchObject({ allowed: true, remaining: 0 });
    });

    test("keeps keys apart", async () => {
      const limiter = harness.create(bucket);
      await limiter.take(key(), 6);
      expect((await limiter.take(key(), 6)).allowed).toBe(true);
    });

    test("never lets more through than the bucket holds, however many ask at once", async () => {
      const limiter = harness.create({ capacity: 20, refillPerSecond: 1 });
      const id = key();
      const answers = await Promise.all(Array.from({ length: 50 }, () => limiter.take(id, 1)));
      const allowed = answers.filter((answer) => answer.allowed).length;
      expect(allowed).toBeGreaterThanOrEqual(20);
      // A slow machine may refill a token or two in the meantime.
      expect(allowed).toBeLessThanOrEqual(23);
    });
  });
}
