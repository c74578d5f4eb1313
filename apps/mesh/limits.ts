/** The bounds of running the whole system on one machine. Units come last in each name. */

/** First ports of the first region; each further region adds `portsPerRegion`. */
export const gatewayPortFirst = 8001;
export const grpcPortFirst = 8002;
export const portsPerRegion = 10;
export const postgresPortPreferred = 5439;
export const kafkaPortPreferred = 9092;
export const kafkaControllerPortPreferred = 9093;
/** With `--processes`: a service port and a metrics port for each app, side by side. */
export const internalPortFirst = 8101;
/** How far above a taken port a free one is looked for. */
export const portSearchMax = 500;

/** `start`: how long a database that does not answer is waited for. */
export const databaseWaitMs = 10_000;
export const databaseRetryMs = 250;
/** From the first app's start to the last part's readiness. */
export const readyTimeoutMs = 60_000;
export const readyPollMs = 25;
/** A second start that finds a first one still on its way waits this long for its banner. */
export const otherStartWaitMs = 60_000;

/** A child that ran this long is healthy: its next restart is quick again. */
export const childHealthyAfterMs = 10_000;
export const childRestartDelayMinMs = 100;
export const childRestartDelayMaxMs = 10_000;
/** How soon a child that is kept down is looked at again. */
export const childKeptDownLookMs = 500;
/** Between a child's SIGTERM and its SIGKILL. Apps finish their batches well within it. */
export const childStopTimeoutMs = 15_000;
export const cityStopTimeoutMs = 5_000;
/** A child whose mesh is gone ends by itself within this time, finished or not. */
export const leashGraceMs = 8_000;
/** From the first signal to an exit, whatever hangs. */
export const meshStopTimeoutMs = 60_000;
/** `bun run` and `npx` deliver each Ctrl-C twice in the same millisecond; only a later one is meant. */
export const secondSignalAfterMs = 1_000;
/** How often the mesh looks whether whoever started it, and its Postgres, are still there. */
export const watchIntervalMs = 500;
/** Changes within this time are one restart: editors write a file in several steps. */
export const sourceChangeQuietMs = 150;

/** Connections of one process to each database; `docs/architecture.md` adds them up. */
export const coordinatorPoolMax = 8;
export const matchingPoolMax = 4;
export const statePoolMax = 6;
export const eventLogPoolMax = 6;
/** How long a start waits for the first measurement of the clock, and the pause between tries. */
export const clockFirstMeasureWaitMs = 1_000;
/** How long a start waits for brokers none of which answers; a broker that was killed is back sooner. */
export const brokerWaitMs = 10_000;
/** How soon the topics of a log that did not answer are asked for again. */
export const topicsRetryMs = 1_000;
/** Everything above for two regions in one process each, with room for tests and a person with psql. */
export const embeddedMaxConnections = 150;

/** `redis-bridge`: one request's body, and how often Redis is asked whether it is there. */
export const bridgeBodyBytesMax = 1024 * 1024;
export const bridgePingIntervalMs = 1_000;

/** Enough for New York to look alive, few enough to be on shift a second after the start. */
export const cityDriversDefault = 30;
export const citySeedDefault = 1;
/** `bun run bench`: one figure, and what it may take to end what it started. */
export const figureTimeoutMs = 240_000;
export const figureCleanUpMs = 30_000;
/** Spans that a collector does not take are told of this often. */
export const spansLostReportEveryMs = 60_000;

if (childRestartDelayMinMs >= 1_000) throw new Error("Cannot load limits: a killed child must be back within a second");
if (childStopTimeoutMs >= meshStopTimeoutMs) throw new Error("Cannot load limits: a child's stop must fit into the mesh's");
