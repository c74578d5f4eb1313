/** Bounds of the matching worker. */

export const tickMs = 1_000;
/** A driver silent for longer is never proposed. */
export const positionFreshMs = 20_000;
/** A proposal that shows no effect within this is forgotten: the coordinator refused it, or it was lost. */
export const proposalForgetMs = 3_000;
/** After that the same pair is left alone for a while, so that a refusal does not repeat each few seconds. */
export const pairRestMs = 10_000;
export const restingPairsMax = 50_000;

/** Neighbors asked for at first; four times as many where those may not be asked, up to the second. */
export const neighborsFirst = 8;
export const neighborsMax = 4_096;
/** Neighbors that all searches of a tick may have seen for their memory to be kept for the next, 24 bytes each. */
export const neighborsKeptMax = 500_000;
/** Candidates that a proposal shows. */
export const candidatesShownMax = 5;
/** The projection's distances are right to 0.8 % in a city: this much is added where a bound must hold. */
export const projectionSlack = 1.02;

/** One transaction of proposals. */
export const proposalsPerTickMax = 2_000;
/** A transaction that holds the lease's row may pause this long; then the server ends it and a takeover can go on. */
export const fencedIdleMaxMs = 1_000;
export const explanationsKeptMax = 10_000;
/** Rides whose trace is remembered, and links that a tick's span carries. */
export const ridesTracedMax = 50_000;
export const tickLinksMax = 64;

export const ridesMax = 100_000;
export const driversMax = 250_000;
export const endedRidesKeptMax = 50_000;
/** A driver off shift is kept this long, so that an older event cannot bring them back. */
export const offlineKeptMs = 15 * 60_000;
/** A position older than this belongs to nobody on the road. */
export const positionKeptMs = 10 * 60_000;
export const sweepIntervalMs = 30_000;

export const readMaxRecords = 2_000;
export const readMaxBytes = 4_000_000;
export const readWaitMs = 1_000;
/** A log that has not answered for this long stalls matching: what is not known cannot be proposed. */
export const logSilenceMaxMs = 4_000;
export const retryDelayMinMs = 200;
export const retryDelayMaxMs = 2_000;
/** Snapshots asked of the coordinator at most this often. */
export const snapshotIntervalMinMs = 1_000;
export const snapshotTimeoutMs = 10_000;
/** How far back positions are read on a start. */
export const telemetryRewindMs = 60_000;

export const marketStateIntervalMs = 3_000;
/** Published again although nothing changed, so that a reader that comes late learns it. */
export const marketStateRepeatMs = 15_000;
export const marketCellResolution = 8;
/** Cells are looked up by squares of this size, of which so many are remembered: a city of 35 × 35 km whole. */
export const cellSquareMeters = 50;
export const cellSquaresKeptMax = 500_000;
export const lagRefreshMs = 5_000;
export const healthStatementMs = 1_000;

if (proposalForgetMs < 2 * tickMs) throw new Error("a proposal must outlive the tick that follows it");
if (logSilenceMaxMs < 2 * readWaitMs) throw new Error("a quiet log is not a silent one");
if (neighborsMax < neighborsFirst) throw new Error("the first search must fit the largest");
if (neighborsFirst < candidatesShownMax) throw new Error("the candidates shown are of the first search");
