/** A cache in this process: by the passed clock, bounded; the key put longest ago goes first. */
import { type Clock, putBounded } from "@ridegrid/domain";
import type { CachedValue, ReadCache } from "./read-cache.ts";

type Entry = CachedValue & { readonly untilMs: number };

export function createMemoryReadCache({ clock, keysMax }: { readonly clock: Clock; readonly keysMax: number }): ReadCache {
  const entries = new Map<string, Entry>();
  const live = (key: string): Entry | null => {
    const entry = entries.get(key);
    return entry === undefined || entry.untilMs <= clock.nowMs() ? null : entry;
  };
  return {
    get: async (key) => live(key),
    async put(key, { version, value }, keptMs) {
      if ((live(key)?.version ?? Number.NEGATIVE_INFINITY) > version) return;
      putBounded(entries, [key, { version, value, untilMs: clock.nowMs() + keptMs }], keysMax);
    },
  };
}
