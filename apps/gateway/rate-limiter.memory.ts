/** Buckets in this process: exact, refilled by the passed clock, bounded; the one unused for longest is forgotten first. */
import { type Clock, putBounded } from "@ridegrid/domain";
import { type Bucket, type RateDecision, rateDecision, type RateLimiter } from "./rate-limiter.ts";

type State = { tokens: number; atMs: number; movedAtMs: number };

/** To move a bucket to the end of its map at each use would cost more than all the rest of a use. */
const moveEveryMs = 1_000;

export interface MemoryRateLimiter extends RateLimiter {
  /** At once: for what is charged thousands of times a second. */
  take(key: string, cost: number): RateDecision;
}

export function createMemoryRateLimiter(deps: { readonly bucket: Bucket; readonly clock: Clock; readonly keysMax: number }): MemoryRateLimiter {
  const { bucket, clock, keysMax } = deps;
  const states = new Map<string, State>();
  return {
    take(key, cost) {
      const nowMs = clock.nowMs();
      const state = states.get(key) ?? { tokens: bucket.capacity, atMs: nowMs, movedAtMs: Number.NEGATIVE_INFINITY };
      state.tokens = Math.min(bucket.capacity, state.tokens + (Math.max(0, nowMs - state.atMs) / 1_000) * bucket.refillPerSecond);
      state.atMs = nowMs;
      const allowed = state.tokens >= cost;
      if (allowed) state.tokens -= cost;
      if (nowMs - state.movedAtMs >= moveEveryMs) moveToEnd(key, state, nowMs);
      return rateDecision(bucket, state.tokens, cost, allowed);
    },
  };

  /** Re-inserting keeps the map in order of last use, so that the oldest is dropped when it is full. */
  function moveToEnd(key: string, state: State, nowMs: number): void {
    putBounded(states, [key, state], keysMax);
    state.movedAtMs = nowMs;
  }
}
