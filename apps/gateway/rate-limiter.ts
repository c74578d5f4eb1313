/**
 * A token bucket for each key: `capacity` tokens at most, refilled evenly, a call takes as many as it costs.
 *
 * Limits protect; they decide nothing that must be right. An adapter that cannot reach its store says so by throwing,
 * and whoever asks falls back to a bucket of its own.
 */
import type { Awaitable } from "@ridegrid/rpc";

export type Bucket = { readonly capacity: number; readonly refillPerSecond: number };

/** `resetMs`: until the bucket is full again. `retryAfterMs`: until the refused cost would be there; 0 when allowed. */
export type RateDecision = {
  readonly allowed: boolean;
  readonly limit: number;
  readonly remaining: number;
  readonly resetMs: number;
  readonly retryAfterMs: number;
};

export interface RateLimiter {
  /** @throws when the store did not answer in time: nothing is known then. */
  take(key: string, cost: number): Awaitable<RateDecision>;
}

/** What a bucket with `tokens` left says about a call of `cost`. */
export function rateDecision(bucket: Bucket, tokens: number, cost: number, allowed: boolean): RateDecision {
  const msPerToken = 1_000 / bucket.refillPerSecond;
  return {
    allowed,
    limit: bucket.capacity,
    remaining: Math.max(0, Math.floor(tokens)),
    resetMs: Math.ceil(Math.max(0, bucket.capacity - tokens) * msPerToken),
    retryAfterMs: allowed ? 0 : Math.max(1, Math.ceil((cost - tokens) * msPerToken)),
  };
}
