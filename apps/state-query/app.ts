/**
 * The read models of one region: folds rides and drivers from its log, answers reads, and follows rides and drivers
 * for streams that resume without a gap or a duplicate.
 *
 * Any number of processes may serve one region; one of them folds each partition. Reads need the database only.
 */
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectRouter } from "@connectrpc/connect";
import { physicalTopic, StateService } from "@ridegrid/contracts";
import { type EventLog, eventLogMigrations, type LeaseLimits, loadCheckpoint } from "@ridegrid/eventlog";
import type { ServiceDirectory } from "@ridegrid/rpc";
import { type App, migrate, type ProcessContext, type Sql } from "@ridegrid/runtime";
import { marketsWithinReach, partitionsWithinReach, type Regions } from "@ridegrid/spatial";
import { consumerName } from "./consumer-name.ts";
import { chooseGeography } from "./choose-geography.ts";
import { createPostgresDriverPlaces } from "./driver-places.postgres.ts";
import { createPostgresDriverStore } from "./driver-store.postgres.ts";
import { createFoldConsumer } from "./fold-consumer.ts";
import { getRegionHealth } from "./handlers/get-region-health.ts";
import { getRideTimeline } from "./handlers/get-ride-timeline.ts";
import { getRideView } from "./handlers/get-ride-view.ts";
import { listRegionDeadLetters } from "./handlers/list-region-dead-letters.ts";
import { listReadModelViolations } from "./handlers/list-read-model-violations.ts";
import { rebuildReadModel } from "./handlers/rebuild-read-model.ts";
import { replayRegionDeadLetters } from "./handlers/replay-region-dead-letters.ts";
import { searchDrivers } from "./handlers/search-drivers.ts";
import { searchRides } from "./handlers/search-rides.ts";
import { watchDriver } from "./handlers/watch-driver.ts";
import { watchMarket } from "./handlers/watch-market.ts";
import { watchRide } from "./handlers/watch-ride.ts";
import { createHotRides } from "./hot-rides.ts";
import { keepPositions } from "./keep-positions.ts";
import { createLastPositions } from "./last-positions.ts";
import {
  driverHistoryMaxMs,
  driverHistoryMs,
  driverHistoryVersions,
  hotRidesMax,
  logProbeTimeoutMs,
  positionsMax,
  pruneIntervalMs,
  pruneRowsMax,
  readCacheRestMs,
  readCacheTimeoutMs,
  snapshotCheckMs,
  snapshotEveryMs,
  watchersMax,
} from "./limits.ts";
import { createMarketCells } from "./market-cells.ts";
import { createMarketFeeds } from "./market-feeds.ts";
import { createMemoryReadCache } from "./read-cache.memory.ts";
import { createRestingReadCache } from "./read-cache.resting.ts";
import type { ReadCache } from "./read-cache.ts";
import { createUpstashReadCache, type RedisAddress } from "./read-cache.upstash.ts";
import { recordPlaces } from "./record-places.ts";
import { createReach } from "./reach.ts";
import { createRebuilds } from "./rebuilds.ts";
import { createPostgresRideStore } from "./ride-store.postgres.ts";
import { takeRidesSnapshot } from "./rides-snapshot.postgres.ts";
import { pollForOthers } from "./shared-poll.ts";
import type { StateQueryParts } from "./state-query-parts.ts";
import { followMarketState, followTelemetry } from "./telemetry-reader.ts";
import { createWakeups } from "./wakeups.ts";
import { withTimeout } from "./with-timeout.ts";

export type StateQueryDeps = {
  readonly context: ProcessContext;
  readonly region: string;
  readonly regions: Regions;
  /** A pool of the role and schema `state`. */
  readonly sql: Sql;
  /** One connection for the leases alone; `sql` when left out. */
  readonly leaseSql?: Sql;
  readonly eventLog: EventLog;
  readonly directory: ServiceDirectory;
  readonly leaseLimits?: Partial<LeaseLimits>;
  /** Where processes share what is read often. Without it each keeps its own. */
  readonly redis?: RedisAddress;
};

export type StateQuery = App & { routes(router: ConnectRouter): void };

const stateMigrations: readonly string[] = [eventLogMigrations, fileURLToPath(new URL("./migrations", import.meta.url))];

/** What `start()` does to the schema first. Answers what it applied, the form of searches by place among it. */
export async function migrateState(sql: Sql): Promise<readonly string[]> {
  const applied = await migrate(sql, stateMigrations);
  const { form, changed } = await chooseGeography(sql);
  return changed ? [...applied, `geography/${form}.sql`] : applied;
}

export function createStateQuery(deps: StateQueryDeps): StateQuery {
  const { context, region, sql } = deps;
  const name = `state-query.${region}`;
  const stopping = new AbortController();
  let started = false;
  let startedAtMs = context.clock.nowMs();
  let loops: Promise<unknown> = Promise.resolve();
  let stopped: Promise<void> | null = null;
  const readiness = () => [{ name, ready: started, detail: started ? "" : "has not started" }];
  const parts = createParts(deps, { name, readiness, startedAtMs: () => startedAtMs });
  const { partitions, rides, hotRides, drivers, places, wakeups, positions, cells } = parts;
  const consumer = createFoldConsumer({ ...deps, leaseSql: deps.leaseSql ?? sql, partitions, rides, drivers, wakeups, hotRides });

  async function shutDown(): Promise<void> {
    started = false;
    wakeups.close();
    stopping.abort(new Error(`"${name}" is stopping`));
    await Promise.all([loops, parts.rebuilds.stop(), consumer.stop()]);
  }

  return {
    name,
    async start() {
      const applied = await migrateState(sql);
      if (applied.length > 0) context.logger.info({ applied }, `the tables of "${name}" are up to date`);
      startedAtMs = context.clock.nowMs();
      await consumer.start();
      const { signal } = stopping;
      loops = Promise.all([
        ...partitions.map((partition) => followTelemetry({ context, region, eventLog: deps.eventLog, positions }, partition, signal)),
        ...partitions.map((partition) => followMarketState({ context, region, eventLog: deps.eventLog, cells }, partition, signal)),
        pollForOthers({ context, sql, region, partitions, rides, drivers, wakeups, isOurs: (partition) => consumer.isOurs(partition) }, signal),
        // A cache of this process's own would know no more than it does.
        deps.redis === undefined ? undefined : keepPositions({ cache: parts.cache, clock: context.clock, region, positions }, signal),
        recordPlaces({ context, positions, places, isOurs: () => partitions[0] !== undefined && consumer.isOurs(partitions[0]) }, signal),
        pruneDrivers(parts, signal),
        takeSnapshots(parts, signal),
      ]);
      started = true;
    },
    stop: () => (stopped ??= shutDown()),
    readiness,
    routes: (router) => registerRoutes(router, parts),
  };
}

type Process = Pick<StateQueryParts, "name" | "readiness" | "startedAtMs">;

/** The shared one where there is a Redis; it is never waited for long, and never needed. */
function readCache({ clock, meter }: ProcessContext, redis: RedisAddress | undefined): ReadCache {
  if (redis === undefined) return createMemoryReadCache({ clock, keysMax: hotRidesMax });
  const without = meter.createCounter("read_cache_fallbacks", { description: "Reads and writes that went without the cache because Redis did not answer" });
  without.add(0);
  const cache = createUpstashReadCache({ ...redis, prefix: "ridegrid:read", timeoutMs: readCacheTimeoutMs });
  return createRestingReadCache({ cache, clock, restMs: readCacheRestMs, onWithout: () => without.add(1) });
}

function createParts({ context, region, regions, sql, eventLog, redis }: StateQueryDeps, process: Process): StateQueryParts {
  const partitions = partitionsWithinReach(regions, region);
  const topic = physicalTopic(region, "ride-events.v1");
  const rides = createPostgresRideStore({ sql, region });
  const drivers = createPostgresDriverStore({ sql, region });
  const wakeups = createWakeups({ max: watchersMax });
  const positions = createLastPositions({ max: positionsMax });
  const cache = readCache(context, redis);
  const cells = createMarketCells(marketsWithinReach(regions, region).map(({ marketId }) => marketId));
  const reach = createReach({
    clock: context.clock,
    partitions,
    endOffset: async (partition) => (await withTimeout(eventLog.bounds(topic, partition), logProbeTimeoutMs)).end,
    nextOffset: async (partition) => (await loadCheckpoint(sql, { homeRegion: region, consumer: consumerName, topic, partition })) ?? 0,
    lastAppendMs: (partition) => rides.lastAppendMs(partition),
  });
  return {
    ...process,
    context,
    region,
    regions,
    partitions,
    sql,
    eventLog,
    rides,
    cache,
    hotRides: createHotRides({ cache, region }),
    drivers,
    places: createPostgresDriverPlaces({ sql, region }),
    wakeups,
    positions,
    cells,
    markets: createMarketFeeds({ context, rides, drivers, positions, cells, wakeups }),
    rebuilds: createRebuilds({ context, sql, eventLog, region, partitions }),
    reach,
  };
}

function registerRoutes(router: ConnectRouter, parts: StateQueryParts): void {
  router.service(StateService, {
    getRideView: (request, context) => getRideView(parts, request, context),
    watchRide: (request, context) => watchRide(parts, request, context),
    watchDriver: (request, context) => watchDriver(parts, request, context),
    watchMarket: (request, context) => watchMarket(parts, request, context),
    searchRides: (request) => searchRides(parts, request),
    searchDrivers: (request) => searchDrivers(parts, request),
    getRideTimeline: (request) => getRideTimeline(parts, request),
    getRegionHealth: (request) => getRegionHealth(parts, request),
    listReadModelViolations: (request) => listReadModelViolations(parts, request),
    listRegionDeadLetters: (request) => listRegionDeadLetters(parts, request),
    replayRegionDeadLetters: (request, context) => replayRegionDeadLetters(parts, request, context),
    rebuildReadModel: (request, context) => rebuildReadModel(parts, request, context),
  });
}

/** A snapshot a day, whichever process is first; a failure waits for the next round. */
async function takeSnapshots({ context, sql, region }: StateQueryParts, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await takeRidesSnapshot({ sql, region }, snapshotEveryMs).catch((error: unknown) => context.logger.warn({ error }, "cannot take a snapshot of the rides"));
    await sleep(snapshotCheckMs, undefined, { signal, ref: false }).catch(() => {});
  }
}

/** Deletes what is past the bounds of drivers' histories, a bounded batch at a time; a failure waits for the next round. */
async function pruneDrivers({ context, drivers }: StateQueryParts, signal: AbortSignal): Promise<void> {
  const bounds = { versions: driverHistoryVersions, olderMs: driverHistoryMs, oldestMs: driverHistoryMaxMs };
  while (!signal.aborted) {
    await sleep(pruneIntervalMs, undefined, { signal, ref: false }).catch(() => {});
    if (signal.aborted) return;
    await drivers.prune(bounds, pruneRowsMax).catch((error: unknown) => context.logger.warn({ error }, "cannot prune the histories of drivers"));
  }
}
