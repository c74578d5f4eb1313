/**
 * The matching worker of one region: for each market that the region serves and whose lease it holds, positions and open rides in, match
 * proposals out. Its state is memory; what it owns on disk is its outbox and its leases.
 */
import type { ConnectRouter } from "@connectrpc/connect";
import { MatchingService } from "@ridegrid/contracts";
import { createLeaseKeeper, createRelay, type EventLog, type Lease, type LeaseKeeper, type Relay } from "@ridegrid/eventlog";
import { apiError, createServingRegions, type ServiceDirectory, type ServingRegions } from "@ridegrid/rpc";
import type { App, ProcessContext, ReadinessPart, Sql } from "@ridegrid/runtime";
import { marketsWithinReach, type RegionMarket, type Regions } from "@ridegrid/spatial";
import { estimatePickup } from "./handlers/estimate-pickup.ts";
import { explainMatch } from "./handlers/explain-match.ts";
import { workerHealth } from "./handlers/get-worker-health.ts";
import { lastPosition } from "./handlers/last-position.ts";
import { followServed, type LeaseSessions } from "./lease-sessions.ts";
import { createMarketSession, type MarketSession } from "./market-session.ts";
import { createMarketState } from "./market-state.ts";
import { createPostgresProposalStore } from "./proposal-store.postgres.ts";
import { createHaversineTravelTime } from "./travel-time.haversine.ts";
import { createWorkerMetrics } from "./worker-metrics.ts";

export type MatchingWorkerDeps = {
  readonly context: ProcessContext;
  readonly region: string;
  readonly regions: Regions;
  /** Schema `matching`, with the event log's tables. */
  readonly sql: Sql;
  /** One connection of its own for leases: a renewal must not queue behind work. */
  readonly leaseSql: Sql;
  /** The relay's own small pool. */
  readonly relaySql: Sql;
  readonly eventLog: EventLog;
  readonly directory: ServiceDirectory;
};

export type MatchingWorker = App & { routes(router: ConnectRouter): void };

/** The consumer of its leases: the coordinator checks proposals against the epochs kept under this name. */
export const matchingConsumer = "matching-worker";

export function createMatchingWorker(deps: MatchingWorkerDeps): MatchingWorker {
  const { context, region, sql, eventLog } = deps;
  const name = `${matchingConsumer}.${region}`;
  const markets = marketsWithinReach(deps.regions, region);
  const serving = createServingRegions({ directory: deps.directory, serviceName: name });
  const served = (): readonly RegionMarket[] => markets.filter(({ homeRegion }) => serving.of(homeRegion) === region);
  const relay = createRelay({ context, sql: deps.relaySql, writer: matchingConsumer, regions: [region], eventLog: () => eventLog });
  const sessions = createSessions(deps, { name, markets, serving, relay });
  const startTimeMs = context.clock.nowMs();
  let stopping: Promise<void> | undefined;

  async function stop(): Promise<void> {
    serving.stop();
    await sessions.keeper.stop();
    await relay.stop();
  }

  return {
    name,
    async start() {
      await relay.start();
      void serving.start();
      await sessions.keeper.start();
    },
    stop: () => (stopping ??= stop()),
    readiness: () => [readiness(sessions, served())],
    routes: (router) =>
      router.service(MatchingService, {
        estimatePickup: (request) => estimatePickup(sessions.of(request.marketId).state, request, context.clock.nowMs()),
        lastPosition: (request) => lastPosition(sessions.of(request.marketId).state, request, context.clock.nowMs()),
        explainMatch: (request) => explainMatch(sessions.of(request.marketId).explanations.get(request.rideId)),
        getWorkerHealth: () =>
          workerHealth({
            name,
            region,
            consumer: matchingConsumer,
            startTimeMs,
            detail: readiness(sessions, served()).detail,
            sessions: sessions.all(),
            backlog: relay.backlog(),
            sql,
          }),
      }),
  };
}

type Sessions = {
  readonly keeper: LeaseKeeper;
  all(): readonly MarketSession[];
  /** @throws DEPENDENCY_AWAY while another process, or nobody, holds the market. */
  of(marketId: string): MarketSession;
};

function createSessions(
  deps: MatchingWorkerDeps,
  parts: { readonly name: string; readonly markets: readonly RegionMarket[]; readonly serving: ServingRegions; readonly relay: Relay },
): Sessions {
  const { context, region, sql } = deps;
  const { name, markets, serving, relay } = parts;
  const leases = new Map<Lease, LeaseSessions>();
  const store = createPostgresProposalStore(sql);

  function begin(market: RegionMarket, lease: Lease): { readonly session: MarketSession; readonly ended: Promise<void> } {
    const state = createMarketState(market, createHaversineTravelTime(market.travel));
    const metrics = createWorkerMetrics(context.meter, { region, market: market.marketId, consumer: matchingConsumer });
    const session = createMarketSession({ ...deps, serviceName: name, lease, state, store, metrics, onStored: () => relay.poke(region) });
    return { session, ended: session.run() };
  }

  const keeper = createLeaseKeeper({
    context,
    sql: deps.leaseSql,
    consumer: matchingConsumer,
    wanted: [...new Set(markets.map(({ partition }) => partition))].map((partition) => ({ homeRegion: region, partition })),
    onGained: (lease) =>
      void leases.set(lease, followServed({ lease, region, serving, begin, markets: markets.filter(({ partition }) => partition === lease.partition) })),
    async onLost(lease) {
      await leases.get(lease)?.ended;
      leases.delete(lease);
    },
  });
  const all = (): readonly MarketSession[] => [...leases.values()].flatMap((one) => one.all()).filter(({ lease }) => !lease.signal.aborted);
  return {
    keeper,
    all,
    of(marketId) {
      const session = all().find(({ state }) => state.market.marketId === marketId);
      if (session === undefined)
        throw apiError("DEPENDENCY_AWAY", `This worker of region "${region}" does not match market "${marketId}" now`, { market: marketId });
      return session;
    },
  };
}

/** Ready when it matches each market that it is to match; a second process waits in reserve. */
function readiness(sessions: Sessions, served: readonly RegionMarket[]): ReadinessPart {
  const held = sessions.all();
  const stalls = held.flatMap((session) => (session.stall() === "" ? [] : [`market "${session.state.market.marketId}": ${session.stall()}`]));
  const waits = held.length === 0 && served.length > 0 ? [`waits for the lease of ${served.map((market) => `"${market.marketId}"`).join(", ")}`] : [];
  const detail = [...stalls, ...waits].join("; ");
  return { name: "matching", ready: detail === "", detail };
}
