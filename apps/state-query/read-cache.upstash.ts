/** A cache that all processes share, in Upstash Redis: one round trip a call, and no second try. It throws when Redis is slow. */
import { Redis } from "@upstash/redis";
import type { ReadCache } from "./read-cache.ts";
import { withTimeout } from "./with-timeout.ts";

export type RedisAddress = { readonly url: string; readonly token: string };
export type UpstashReadCacheOptions = RedisAddress & { readonly prefix: string; readonly timeoutMs: number };

/** Puts unless something newer is there; in one step, or two writers would take turns. */
const putNewest = `
local known = redis.call("HGET", KEYS[1], "version")
if known and tonumber(known) > tonumber(ARGV[1]) then return 0 end
redis.call("HSET", KEYS[1], "version", ARGV[1], "value", ARGV[2])
redis.call("PEXPIRE", KEYS[1], ARGV[3])
return 1`;

export function createUpstashReadCache({ url, token, prefix, timeoutMs }: UpstashReadCacheOptions): ReadCache {
  const redis = new Redis({ url, token, retry: false, enableTelemetry: false, automaticDeserialization: false });
  const keyOf = (key: string): string => `${prefix}:${key}`;
  return {
    async get(key) {
      // As Redis answers it: parsing is switched off, or a value that is JSON would come back as an object.
      const found: unknown = await withTimeout(redis.hmget(keyOf(key), "version", "value"), timeoutMs);
      if (!Array.isArray(found)) return null;
      const [version, value]: readonly unknown[] = found;
      return typeof version === "string" && typeof value === "string" ? { version: Number(version), value } : null;
    },
    async put(key, { version, value }, keptMs) {
      await withTimeout(redis.eval(putNewest, [keyOf(key)], [String(version), value, String(keptMs)]), timeoutMs);
    },
  };
}
