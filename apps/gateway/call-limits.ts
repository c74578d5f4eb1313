/**
 * How much each caller may ask: a principal by what its calls cost, an address only for calls without a valid token.
 * Every answer says what is left; a refusal says when to come back.
 *
 * Limits protect and decide nothing that must be right: shared by all gateways where there is a Redis that answers,
 * this process's own otherwise, which is counted.
 */
import type { HandlerContext } from "@connectrpc/connect";
import type { Counter, Meter } from "@opentelemetry/api";
import type { Clock } from "@ridegrid/domain";
import { apiError, type Awaitable, callerKey, methodName } from "@ridegrid/rpc";
import { addressBucket, callsBucket, positionsBucket, rateKeysMax, sharedBucketRestMs, streamsBucket, tokensBucket } from "./limits.ts";
import { methodCost, type PrincipalBucket } from "./method-costs.ts";
import { createFallbackRateLimiter } from "./rate-limiter.fallback.ts";
import { createMemoryRateLimiter, type MemoryRateLimiter } from "./rate-limiter.memory.ts";
import type { Bucket, RateDecision, RateLimiter } from "./rate-limiter.ts";

type BucketName = PrincipalBucket | "address" | "tokens";

export type CallLimitsDeps = {
  readonly clock: Clock;
  readonly meter: Meter;
  /** Who asks without a token. */
  readonly addressOf: (context: HandlerContext) => string;
  /** A bucket that all gateways share; undefined where there is no Redis. */
  readonly shared: ((name: string, bucket: Bucket) => RateLimiter) | undefined;
};

export interface CallLimits {
  /** Puts what is left into the response's headers. @throws RATE_LIMITED when the call costs more than that. */
  charge(context: HandlerContext): Awaitable<void>;
  /** Charges positions that come on a driver's stream. What it answers throws RATE_LIMITED when they are more than the rate allows. */
  positionsOf(driverId: string): (positions: number) => void;
  /** A development token for an address; undefined when it may be issued. */
  refuseToken(address: string): Promise<Response | undefined>;
}

const buckets: Readonly<Record<BucketName, Bucket>> = {
  calls: callsBucket,
  positions: positionsBucket,
  streams: streamsBucket,
  address: addressBucket,
  tokens: tokensBucket,
};

export function createCallLimits(deps: CallLimitsDeps): CallLimits {
  const limiters = createLimiters(deps);
  const refused = deps.meter.createCounter("rate_limited", { description: "Calls refused because their caller is over its rate, by bucket" });
  const say = (decision: RateDecision, bucket: BucketName, context: HandlerContext): void => {
    writeRateLimit(bucket, decision, context.responseHeader);
    if (decision.allowed) return;
    refused.add(1, { bucket });
    const who = bucket === "address" ? "its address" : "its caller";
    const why = `Cannot call ${methodName(context.method)}: ${who} is over the rate of the bucket "${bucket}"`;
    throw apiError("RATE_LIMITED", why, { bucket }, decision.retryAfterMs);
  };
  return {
    charge(context) {
      const caller = context.values.get(callerKey);
      const { bucket, cost } = caller === undefined ? { bucket: "address" as const, cost: 1 } : methodCost(context.method);
      const key = caller === undefined ? deps.addressOf(context) : `${caller.role}:${caller.principal}`;
      const limiter: RateLimiter = limiters[bucket];
      const taken = limiter.take(key, cost);
      return taken instanceof Promise ? taken.then((decision) => say(decision, bucket, context)) : say(taken, bucket, context);
    },
    positionsOf(driverId) {
      // Made once a stream: to hash a new string for each position would cost as much as to decode it.
      const key = `driver:${driverId}`;
      return (positions) => {
        const decision = limiters.positions.take(key, positions);
        if (decision.allowed) return;
        refused.add(1, { bucket: "positions" });
        const message = `Cannot take ${positions} more positions: the driver is over the rate of the bucket "positions"`;
        throw apiError("RATE_LIMITED", message, { bucket: "positions" }, decision.retryAfterMs);
      };
    },
    async refuseToken(address) {
      const decision = await limiters.tokens.take(address, 1);
      if (decision.allowed) return undefined;
      refused.add(1, { bucket: "tokens" });
      const headers = new Headers();
      writeRateLimit("tokens", decision, headers);
      return Response.json({ error: "Too many tokens were asked for from this address" }, { status: 429, headers });
    },
  };
}

type Limiters = Readonly<Record<Exclude<BucketName, "positions">, RateLimiter>> & { readonly positions: MemoryRateLimiter };

function createLimiters({ clock, meter, shared }: CallLimitsDeps): Limiters {
  const fallbacks: Counter = meter.createCounter("rate_limit_fallbacks", { description: "Calls that the local bucket decided because Redis did not answer" });
  fallbacks.add(0);
  const localLimiter = (name: BucketName): MemoryRateLimiter => createMemoryRateLimiter({ bucket: buckets[name], clock, keysMax: rateKeysMax });
  const limiter = (name: Exclude<BucketName, "positions" | "tokens">): RateLimiter => {
    const local = localLimiter(name);
    if (shared === undefined) return local;
    const onFallback = (): void => fallbacks.add(1);
    return createFallbackRateLimiter({ shared: shared(name, buckets[name]), local, clock, restMs: sharedBucketRestMs, onFallback });
  };
  return {
    calls: limiter("calls"),
    // These two stay in this process: a driver is on one gateway, and its positions must not cost a round trip each.
    positions: localLimiter("positions"),
    streams: limiter("streams"),
    address: limiter("address"),
    tokens: localLimiter("tokens"),
  };
}

/** `RateLimit` and `RateLimit-Policy` of the IETF draft: `q` tokens at most, refilled in `w` s; `r` left, all back in `t` s. */
function writeRateLimit(name: BucketName, { allowed, remaining, resetMs, retryAfterMs }: RateDecision, into: Headers): void {
  into.set("ratelimit-policy", policies[name]);
  into.set("ratelimit", `"${name}";r=${remaining};t=${Math.ceil(resetMs / 1_000)}`);
  if (!allowed) into.set("retry-after", String(Math.ceil(retryAfterMs / 1_000)));
}

const policies: Readonly<Record<BucketName, string>> = {
  calls: policy("calls"),
  positions: policy("positions"),
  streams: policy("streams"),
  address: policy("address"),
  tokens: policy("tokens"),
};

function policy(name: BucketName): string {
  const { capacity, refillPerSecond } = buckets[name];
  return `"${name}";q=${capacity};w=${Math.ceil(capacity / refillPerSecond)}`;
}
