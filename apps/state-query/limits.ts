/** The bounds of reading, folding and watching. Units come last in each name. */

/** One batch of a topic; its effect is a handful of statements in one transaction. */
export const foldBatchRecordsMax = 500;
export const foldBatchBytesMax = 1 << 20;

/** How long `GetRideView` waits for `min_version`. */
export const minVersionWaitMs = 1_000;

/** A stream of a ride that was requested a moment ago waits this long for its first event. */
export const unknownRideWaitMs = 30_000;
/** A stream of a ride that has ended stays open this long, so that a client is never raced by its own goodbye. */
export const endedRideLingerMs = 60_000;
export const locationIntervalMs = 2_000;
/** A stream looks at the tables this often even when nobody woke it. */
export const watchRecheckMs = 30_000;
/** Versions that one stream takes from the tables at a time: what a slow reader costs. */
export const watchPageVersions = 100;
/** Streams and waiting reads of one process; more are refused with a retry delay. */
export const watchersMax = 20_000;
/** How often one process looks for what another process folded, while it has watchers. */
export const sharedPollMs = 100;
export const sharedPollKeysMax = 5_000;

export const searchPageDefault = 20;
export const searchPageMax = 100;
export const timelineEntriesMax = 1_000;
export const violationsMax = 200;

/** A rebuild that is this many records behind the live fold compares and swaps; what is left is folded while live folding waits. */
export const rebuildLagMax = 2_000;
/** A rebuild answers within this, or goes on after the call. */
export const rebuildAnswerMs = 3_000;
/** One statement of the swap, for which live folding waits. */
export const rebuildSwapMaxMs = 120_000;
/** The log keeps seven days: a snapshot must never be older than that. */
export const snapshotEveryMs = 24 * 3_600_000;
export const snapshotCheckMs = 600_000;

/** How long a ride is read without asking the tables: what an answer may be behind where the newest fold's word was lost. */
export const hotRideKeptMs = 1_000;
export const hotRidesMax = 10_000;
/** How often the last positions go to the shared cache, and how many: about 250 kB. */
export const positionsKeptEveryMs = 5_000;
export const positionsKeptMax = 5_000;
/** How long a read waits for the cache; then it asks the tables, and the cache is left alone for a while. */
export const readCacheTimeoutMs = 75;
export const readCacheRestMs = 5_000;

/** `as_of` is worked out anew at most this often. */
export const asOfCacheMs = 250;
/** A read waits this long for a newer `as_of`, then says the last one. */
export const asOfWaitMs = 100;
/** What a read waits for the event log before it answers without it. */
export const logProbeTimeoutMs = 500;

/** Drivers whose last position is kept in memory; beyond it the ones silent longest are forgotten. */
export const positionsMax = 200_000;
/** At start, positions of this last while are read. */
export const positionsBackfillMs = 60_000;
/** Ingest refuses positions from the future; one that slipped through must not freeze its driver. */
export const positionFutureMaxMs = 10_000;
/** An older position says nothing about where a driver is. */
export const positionShownMaxMs = 60_000;

/** How often places go to the tables, and how many at once: 100,000 moving drivers are each at most 20 s old there, at 5,000 rows a second. */
export const placesRecordedEveryMs = 2_000;
export const placesPerRoundMax = 10_000;
/** A driver that has moved less is recorded again only so often, to show that it is there. */
export const placeMovedMinMeters = 25;
export const placeRepeatMs = 10_000;
/** A place that nobody confirmed for so long is deleted. */
export const placeForgottenMs = 2 * positionShownMaxMs;
export const placesForgottenEveryMs = 60_000;
/** A search by place that names no radius or no number. */
export const nearRadiusDefaultMeters = 5_000;
export const nearDriversDefault = 20;

/** Markets that operators watch are read this often at most... */
export const marketTickMs = 1_000;
/** ...and take at most this share of one connection's time. */
export const marketLoadMax = 0.25;
export const marketDriversMax = 10_000;
export const marketRidesMax = 5_000;
/** Drivers, rides and cells that have left a watched market and are remembered for readers behind; further behind is a snapshot. */
export const marketGoneMax = 5_000;
/** A driver that is silent for longer is shown as stale. */
export const positionStaleMs = 20_000;
/** Matching repeats a market's state each 15 s; an older one says nothing about now. */
export const marketStateShownMaxMs = 60_000;
export const marketStateBackfillMs = marketStateShownMaxMs;
export const telemetryBatchRecordsMax = 500;
export const telemetryBatchBytesMax = 1 << 20;
export const logWaitMs = 5_000;
export const retryDelayMinMs = 100;
export const retryDelayMaxMs = 5_000;

/** Each driver keeps this many versions and this long a time, whichever is more... */
export const driverHistoryVersions = 100;
export const driverHistoryMs = 24 * 3_600_000;
/** ...and nothing beyond what the topic itself keeps. */
export const driverHistoryMaxMs = 7 * 24 * 3_600_000;
export const pruneIntervalMs = 60_000;
export const pruneRowsMax = 5_000;

if (sharedPollMs >= minVersionWaitMs) throw new Error("Cannot load limits: a read must outlast the shared poll");
if (placeRepeatMs >= positionStaleMs) throw new Error("Cannot load limits: a driver that stands still would look stale");
if (driverHistoryMs > driverHistoryMaxMs) throw new Error("Cannot load limits: the driver history's bounds are crossed");
