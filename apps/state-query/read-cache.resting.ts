/**
 * A cache that is never in the way: what fails is a miss, counted, and its store is left alone for `restMs`, so that few
 * reads pay a time-out. Then one call alone tries it again.
 */
import type { Clock } from "@ridegrid/domain";
import type { ReadCache } from "./read-cache.ts";

export type RestingReadCacheOptions = {
  readonly cache: ReadCache;
  readonly clock: Clock;
  readonly restMs: number;
  /** Called once for each call that went without the cache. */
  readonly onWithout: () => void;
};

export function createRestingReadCache({ cache, clock, restMs, onWithout }: RestingReadCacheOptions): ReadCache {
  let state: "well" | "resting" | "trying" = "well";
  let restUntilMs = Number.NEGATIVE_INFINITY;

  async function attempt<T>(call: () => Promise<T>, otherwise: T): Promise<T> {
    if (state === "well" || (state === "resting" && clock.nowMs() >= restUntilMs)) {
      if (state === "resting") state = "trying";
      try {
        const answer = await call();
        state = "well";
        return answer;
      } catch {
        state = "resting";
        restUntilMs = clock.nowMs() + restMs;
      }
    }
    onWithout();
    return otherwise;
  }

  return {
    get: (key) => attempt(() => cache.get(key), null),
    put: (key, cached, keptMs) => attempt(() => cache.put(key, cached, keptMs), undefined),
  };
}
