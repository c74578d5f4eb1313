/** The bounds of the public edge. Units come last in each name. */
import { edgeCallTimeoutMs, internalCallTimeoutMs } from "@ridegrid/rpc";

/** One call to a service behind the gateway; then the caller is told DEPENDENCY_AWAY while its own deadline still runs. */
export const dependencyTimeoutMs = internalCallTimeoutMs;
/** The read model may wait 1 s for a version; beyond that the coordinator is asked. */
export const stateReadTimeoutMs = 2_000;
/** One region that hangs delays a page over all regions by this much. */
export const regionReadTimeoutMs = 3_000;

export const tokenBytesMax = 8_192;
export const principalCharsMax = 128;
/** Verified tokens that are remembered; checking a signature costs about 0.1 ms. */
export const tokensRememberedMax = 20_000;
export const developmentTokenTtlSeconds = 24 * 3_600;
export const developmentTokenTtlMaxSeconds = 7 * 24 * 3_600;
/** Clocks of an issuer and of this machine may differ. */
export const issuerClockToleranceSeconds = 5;
export const jwksTimeoutMs = 3_000;

/** Fly's proxy cuts a stream that is quiet for 60 s; clients are promised 15 s. */
export const heartbeatIntervalMs = 10_000;

/** Rides whose home region and rider are remembered. */
export const ridesLocatedMax = 50_000;
/** A ride that did not exist is asked for again after this. */
export const rideUnknownTtlMs = 1_000;

/** How long a stream outlives a state-query that is away. */
export const streamReconnectMaxMs = 30_000;
export const reconnectDelayMinMs = 100;
export const reconnectDelayMaxMs = 1_000;
/** A stream of an offline driver looks this often whether a shift began elsewhere. */
export const relocateIntervalMs = 5_000;

/** Positions for one ingest region without an answer; more are refused with OVERLOADED. About 300 bytes each. */
export const positionsForwardedMax = 250_000;
/** A page of positions is sent when it has so many, or is so old. What a page costs whatever it holds is 3 µs for each of 10,000 positions/s less at 80 ms than at 40; 80 ms are no more than ingest's own 100. */
export const positionsPerPage = 2_000;
export const pageWaitMs = 80;
export const pageSweepMs = 250;
/** Positions of a unary call that are not durable by then: DEPENDENCY_AWAY, while the call's own deadline still runs. */
export const forwardTimeoutMs = 5_000;
/** Those of a stream, which waits without being read: an ingest may be away for a while. */
export const forwardStreamTimeoutMs = 15_000;
/** Of one stream, charged at once. */
export const positionsPerCharge = 20;
/** Positions of one stream without an answer; then it is not read until some are answered. */
export const positionsInFlightMax = 64;
/** A stream is acknowledged at most so often, and at once when it was quiet for so long: phones that report every second or two hear of each position as soon as it is durable. Writing to a socket costs about 20 µs, reading half of it. */
export const acknowledgeIntervalMs = 1_000;
export const acknowledgeSweepMs = 50;
/** Durable positions of one stream that it was not told of; then it is told at once. */
export const positionsUnsaidMax = 32;

export const searchPageDefault = 20;
export const nearDriversDefault = 20;

/** Riders' and drivers' calls being worked on; the next one is told OVERLOADED. */
export const callsInFlightMax = 2_000;
export const streamsOpenMax = 20_000;

/** Each principal: what its calls may cost. What a method costs is in `method-costs.ts`. */
export const callsBucket = { capacity: 60, refillPerSecond: 20 };
/** Each driver: batches of positions, or positions of a stream. One in two seconds is usual; a phone that was in a tunnel sends many. */
export const positionsBucket = { capacity: 120, refillPerSecond: 20 };
/** Each principal: streams opened. A client whose connection is cut again and again must not be locked out, nor a board that watches many rides. */
export const streamsBucket = { capacity: 600, refillPerSecond: 30 };
/** Each address: calls without a valid token. Many people may share one. */
export const addressBucket = { capacity: 1_000, refillPerSecond: 50 };
/** Each address: development tokens. Wide enough for a simulated city of 2,000 drivers that starts at once. */
export const tokensBucket = { capacity: 20_000, refillPerSecond: 2_000 };
/** Buckets that are not full and are remembered, of each kind. */
export const rateKeysMax = 100_000;
/** How long a call waits for Redis; then its own process decides. */
export const sharedBucketTimeoutMs = 75;
/** How long Redis is left alone after it failed, so that few calls pay the time-out. */
export const sharedBucketRestMs = 5_000;

/** How often readiness looks at the coordinator. */
export const probeIntervalMs = 2_000;
export const probeTimeoutMs = 1_500;
/** How long `stop` waits for calls in flight. */
export const drainMs = 5_000;

if (heartbeatIntervalMs >= 15_000) throw new Error("heartbeats must come at most 15 s apart");
if (dependencyTimeoutMs >= edgeCallTimeoutMs) throw new Error("a dependency's failure must be told within the call's own deadline");
if (stateReadTimeoutMs + dependencyTimeoutMs > edgeCallTimeoutMs) throw new Error("the coordinator must be asked within the deadline of a read");
if (positionsUnsaidMax > positionsInFlightMax) throw new Error("a stream must hear of its positions before it is full of them");
if (forwardTimeoutMs >= edgeCallTimeoutMs) throw new Error("a report that is not durable must be told so within its call's deadline");
if (sharedBucketTimeoutMs > 100) throw new Error("a slow Redis must not slow a call down by more than 100 ms");

/** Positions come every second from every driver: they are counted and measured, and make no spans. */
export const untracedMethods: ReadonlySet<string> = new Set(["ReportPositions", "StreamPositions"]);
