/**
 * The shared bucket where it answers, the local one where it does not: a Redis that is away or slow neither stops nor
 * slows requests. After a failure the shared bucket is left alone for `restMs`, so that few calls pay its time-out.
 */
import type { Clock } from "@ridegrid/domain";
import type { RateLimiter } from "./rate-limiter.ts";

export type FallbackRateLimiterOptions = {
  readonly shared: RateLimiter;
  readonly local: RateLimiter;
  readonly clock: Clock;
  readonly restMs: number;
  /** Called once for each call that the local bucket decided. */
  readonly onFallback: (cause: unknown) => void;
};

export function createFallbackRateLimiter({ shared, local, clock, restMs, onFallback }: FallbackRateLimiterOptions): RateLimiter {
  let restUntilMs = Number.NEGATIVE_INFINITY;
  let lastFailure: unknown;
  return {
    async take(key, cost) {
      if (clock.nowMs() >= restUntilMs) {
        try {
          return await shared.take(key, cost);
        } catch (error) {
          lastFailure = error;
          restUntilMs = clock.nowMs() + restMs;
        }
      }
      onFallback(lastFailure);
      return local.take(key, cost);
    },
  };
}
