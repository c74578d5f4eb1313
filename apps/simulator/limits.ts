/** Bounds and tuned numbers of the simulated city. City seconds are wall seconds × speedup. */

/** Vehicles: 28 km/h along streets that are this much longer than the great circle. */
export const vehicleSpeedMps = 28 / 3.6;
export const streetDetour = 1.35;
/** The share of what the fleet can serve that generated demand asks for. */
export const demandLoad = 0.8;
/** An endless city asks for this share of that: it is scenery for somebody at work. */
export const endlessPace = 0.25;
export const ridesMax = 100_000;
export const driversMax = 5_000;
export const speedupMax = 1_000;
/** Rides an endless city remembers; a finite one remembers all. */
export const endlessRidesRemembered = 2_000;
/** The share of cars with six seats; the others have four. */
export const largeCarShare = 0.15;
/** How far from a pickup a driver starts, on average in each direction. */
export const startSpreadMeters = 250;

/** A driver reports its position this often, in wall time. */
export const positionIntervalMs = 2_000;
/** Drivers report in this many groups, 100 ms apart: grouped calls cost half of calls spread evenly (14 % against 24 % of a core for 1,200 drivers). */
export const positionSlots = 20;
/** Reports without an answer; beyond it a driver waits for its next turn, so that commands find free connections (Bun's fetch has 256). */
export const positionsInFlightMax = 128;
export const positionTimeoutMs = 5_000;

/** Watch streams on one HTTP/2 connection; Bun's server refuses the 257th. */
export const streamsPerConnectionMax = 100;
export const streamSilenceMaxMs = 45_000;
export const streamSweepMs = 5_000;
export const streamBackoffBaseMs = 100;
export const streamBackoffMaxMs = 3_000;
export const connectionPingIntervalMs = 10_000;
export const connectionPingTimeoutMs = 5_000;

export const callTimeoutMs = 10_000;
/** How long one command is repeated with the same request id before its sender gives up. */
export const commandPatienceMs = 180_000;
export const retryBaseMs = 100;
/** Steps grow to this after six tries: a restart is over by then, and many clients that come back too soon keep a slow platform slow. */
export const retryMaxMs = 8_000;
/** How often something is asked again that only its asker waits for. */
export const askAgainMs = 500;
/** How long a platform may take to answer at all before a simulation does not start. */
export const startPatienceMs = 10_000;
export const endlessStartPatienceMs = 60_000;
/** How often it is tried: a refused connection costs next to nothing, and somebody waits. */
export const startPollMs = 20;

/** A token is renewed this long before it expires. */
export const tokenMarginMs = 60_000;
/** Assumed where a token does not say. */
export const tokenLifetimeMs = 5 * 60_000;

/** Drivers that open or end their shift at the same time. */
export const shiftsInFlightMax = 24;
/** Few, so that the first rider of an endless city is not behind them all. */
export const endlessShiftsInFlightMax = 4;
/** Demand waits while this many riders are in the city. */
export const ridersAtOnceMax = 5_000;

export const driverDeclineShare = 0.05;
export const driverIgnoreShare = 0.02;
/** City seconds. */
export const driverThinkSeconds = { min: 1, max: 5 };
export const boardingSeconds = { min: 15, max: 45 };
export const arrivalTriesMax = 5;

export const riderCancelShare = 0.03;
/** City seconds after the request at which a rider who changes his mind cancels. */
export const riderCancelSeconds = { min: 5, max: 90 };
/** City seconds a rider waits for a driver to be assigned. */
export const riderPatienceSeconds = { min: 900, max: 1_800 };
export const quoteTriesMax = 5;
/** How long a driver at the pickup waits for the rider to tell the PIN. */
export const pinPatienceMs = 30_000;
/** A rider who has not come by then did not show up: the platform waits five minutes. */
export const noShowWaitMs = 5 * 60_000 + 2_000;

/** After the last request: the platform's search bound and slack, to which the longest trip is added. */
export const settleBaseMs = 360_000;
/** How long the platform's read model may take to show what was acknowledged. */
export const compareTimeoutMs = 15_000;
export const comparePageSize = 100;
export const comparePagesMax = 1_000;
export const compareInFlightMax = 8;
/** How long a stop from outside waits for goodbyes. */
export const farewellMs = 3_000;
export const invariantPollMs = 5_000;

export const progressIntervalMs = 500;
export const progressLineIntervalMs = 10_000;
export const endlessLineIntervalMs = 60_000;
export const violationsKeptMax = 100;
export const badRowsShownMax = 5;
/** Waits kept for percentiles; an endless city keeps the newest. */
export const waitsKeptMax = 100_000;

if (positionsInFlightMax >= 256) throw new Error("positions must leave connections to commands");
if (streamsPerConnectionMax > 256) throw new Error("a connection carries at most 256 streams");
if (commandPatienceMs < 60_000) throw new Error("a command must outlive a restart of the platform");
