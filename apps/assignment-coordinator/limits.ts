/** The coordinator's bounds. A market's own bounds (offer time to live, search, arrival) are its dispatch policy. */

/** Commands being worked on or queued for a connection; the next one is told `OVERLOADED`. */
export const commandsInFlightMax = 512;
/** A command that Postgres has not answered by then is answered `DEPENDENCY_AWAY`; it may still commit, and its request id tells. */
export const commandAnswerMs = 5_000;
/** A row that somebody holds for longer than this makes the command `OVERLOADED`. */
export const lockWaitMs = 3_000;
/** Serialization failures, deadlocks and lost races for a unique key, each tried again with the same event ids. */
export const transactionTriesMax = 6;
export const transactionRetryDelayMs = 5;

/** What one command changes goes to Postgres as one statement; a page with more writes sends each by itself. */
export const writesTogetherMax = 8;

/** What the market's matching worker is given to answer before the coordinator goes on without it. */
export const matchingAnswerMs = 150;
/** An older position does not say where a driver is. */
export const lastPositionMaxAgeMs = 20_000;

export const seatsDefault = 1;
export const surgeNone = 1;

/** Of each fare the driver's account gets this share, rounded down to whole minor units; the platform's gets the rest. */
export const driverShareOfFare = 0.8;

export const sweepEveryMs = 250;
export const sweepPageMax = 500;

/** A takeover waits for commands under way. */
export const takeOverLockWaitMs = 10_000;
/** Publishing a day of a region again is one statement. The caller is answered before; the request id tells how it ended. */
export const takeOverStatementMs = 300_000;
/** Rides that ended within this time before a takeover are published again too; the outbox is kept as long. */
export const replayKeptMs = 24 * 3_600_000;

/** Request ids are promised for 24 hours. */
export const requestKeptMs = 24 * 3_600_000;
/** A quote is of no use once it has expired; kept a while so that a late request is told `QUOTE_EXPIRED`. */
export const quoteKeptMs = 3_600_000;
export const cleanupEveryMs = 60_000;
export const cleanupBatchMax = 2_000;

export const listPageDefault = 20;
export const listPageMax = 100;

/** Rides and drivers of one partition in one snapshot. */
export const openWorkRowsMax = 200_000;
export const violationsListedMax = 1_000;

if (matchingAnswerMs >= commandAnswerMs) throw new Error("Cannot load limits: matching's answer must come before the command's bound");
if (lockWaitMs >= commandAnswerMs) throw new Error("Cannot load limits: a lock must be given up before the command's bound");
if (listPageDefault > listPageMax) throw new Error("Cannot load limits: the default page is above the largest one");
