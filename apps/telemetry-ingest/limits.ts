/** Bounds of telemetry-ingest. A position is refused beyond the first group; a batch of positions beyond the second. */

export const accuracyMaxMeters = 200;
export const positionAgeMaxMs = 60_000;
/** Devices' clocks are set by the network and differ by a second or two. */
export const positionAheadMaxMs = 5_000;
export const speedMaxMps = 150;

/** How long the first position of a batch waits for others. */
export const flushIntervalMs = 100;
/** About 70 bytes a position: 140 kB a record. */
export const positionsPerRecordMax = 2_000;
/** Drivers waiting for one flush of one market; more are refused with OVERLOADED. */
export const driversPerFlushMax = 50_000;
/** An append that takes longer counts as failed: its callers report the positions again. */
export const appendTimeoutMs = 3_000;

/** Pages of one stream without an answer; then it is not read until some are answered. A gateway sends 50 a second. */
export const pagesPerStreamMax = 512;
export const positionsPerPageMax = 5_000;
/** A UUID. */
export const streamIdCharsMax = 36;
/** Positions of the whole process without an answer; more are refused with OVERLOADED. */
export const positionsPendingMax = 500_000;

/** Drivers whose last position is remembered; beyond it the one unheard for longest is forgotten. */
export const driversRememberedMax = 250_000;

/** A lapsed sequence asks the coordinator for the driver's shift at most this often. */
export const shiftLookupTtlMs = 2_000;
export const shiftLookupTimeoutMs = 500;
export const shiftLookupsInFlightMax = 32;
export const shiftLookupsKeptMax = 10_000;

/** How often a log that was away is asked whether it is back. */
export const logProbeIntervalMs = 1_000;

if (driversPerFlushMax < positionsPerRecordMax) throw new Error("a flush must have room for one full record");
if (positionsPendingMax < positionsPerPageMax) throw new Error("one page alone must not be refused as overload");
if (shiftLookupTimeoutMs >= shiftLookupTtlMs) throw new Error("an answer must arrive before it is too old to use");
