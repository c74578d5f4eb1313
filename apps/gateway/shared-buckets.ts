/** Buckets in the Redis that all gateways share. One failed try is enough: a call must not wait for a second one. */
import { Redis } from "@upstash/redis";
import { sharedBucketTimeoutMs } from "./limits.ts";
import type { Bucket, RateLimiter } from "./rate-limiter.ts";
import { createUpstashRateLimiter } from "./rate-limiter.upstash.ts";

export type RedisAddress = { readonly url: string; readonly token: string };

export function sharedBuckets({ url, token }: RedisAddress): (name: string, bucket: Bucket) => RateLimiter {
  const redis = new Redis({ url, token, retry: false, enableTelemetry: false });
  return (name, bucket) => createUpstashRateLimiter({ redis, bucket, prefix: `ridegrid:rate:${name}`, timeoutMs: sharedBucketTimeoutMs });
}
