/**
 * The shared bucket where it answers, the local one where it does not: a Redis that is away or slow neither stops nor
 * slows requests. After a failure the shared bucket is left alone for `restMs`; then one call alone tries it again.
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
  let state: "well" | "resting" | "trying" = "well";
  let restUntilMs = Number.NEGATIVE_INFINITY;
  let lastFailure: unknown;
  return {
    async take(key, cost) {
      if (state === "well" || (state === "resting" && clock.nowMs() >= restUntilMs)) {
        if (state === "resting") state = "trying";
        try {
          const decision = await shared.take(key, cost);
          state = "well";
          return decision;
        } catch (error) {
          lastFailure = error;
          state = "resting";
          restUntilMs = clock.nowMs() + restMs;
        }
      }
      onFallback(lastFailure);
      return local.take(key, cost);
    },
  };
}
