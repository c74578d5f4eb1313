/** Buckets that all gateways of all regions share, in Upstash Redis, by `@upstash/ratelimit`. It throws when Redis is slow. */
import { Ratelimit } from "@upstash/ratelimit";
import type { Redis } from "@upstash/redis";
import { type Bucket, rateDecision, type RateLimiter } from "./rate-limiter.ts";

export type UpstashRateLimiterOptions = {
  readonly redis: Redis;
  readonly bucket: Bucket;
  readonly prefix: string;
  /** At most 100 ms: a slow Redis must not slow a request down. */
  readonly timeoutMs: number;
};

export function createUpstashRateLimiter({ redis, bucket, prefix, timeoutMs }: UpstashRateLimiterOptions): RateLimiter {
  const limiter = new Ratelimit({
    redis,
    prefix,
    limiter: Ratelimit.tokenBucket(bucket.refillPerSecond, "1 s", bucket.capacity),
    analytics: false,
    ephemeralCache: false,
    // Its own time-out lets the call pass and says nothing; ours is below.
    timeout: 0,
  });
  return {
    async take(key, cost) {
      const answer = await withTimeout(limiter.limit(key, { rate: cost }), timeoutMs);
      // The script reports -1 for a refused call and the whole tokens left otherwise.
      return rateDecision(bucket, Math.max(0, answer.remaining), cost, answer.success);
    },
  };
}

async function withTimeout<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Redis did not answer within ${timeoutMs} ms`)), timeoutMs);
  });
  work.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
