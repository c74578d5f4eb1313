/**
 * The matching worker of one region: for each market whose lease it holds, positions and open rides in, match
 * proposals out. Its state is memory; what it owns on disk is its outbox and its leases.
 */
import type { ConnectRouter } from "@connectrpc/connect";
import { MatchingService } from "@ridegrid/contracts";
import { createLeaseKeeper, createRelay, type EventLog, type Lease, type LeaseKeeper, type Relay } from "@ridegrid/eventlog";
import { apiError, type ServiceDirectory } from "@ridegrid/rpc";
import type { App, ProcessContext, ReadinessPart, Sql } from "@ridegrid/runtime";
import type { RegionMarket, Regions } from "@ridegrid/spatial";
import { estimatePickup } from "./handlers/estimate-pickup.ts";
import { explainMatch } from "./handlers/explain-match.ts";
import { workerHealth } from "./handlers/get-worker-health.ts";
import { lastPosition } from "./handlers/last-position.ts";
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
  const markets = deps.regions.region(region).markets;
  const relay = createRelay({ context, sql: deps.relaySql, writer: matchingConsumer, regions: [region], eventLog: () => eventLog });
  const sessions = createSessions(deps, { name, markets, relay });
  const startTimeMs = context.clock.nowMs();
  let stopping: Promise<void> | undefined;

  async function stop(): Promise<void> {
    await sessions.keeper.stop();
    await relay.stop();
  }

  return {
    name,
    async start() {
      await relay.start();
      await sessions.keeper.start();
    },
    stop: () => (stopping ??= stop()),
    readiness: () => [readiness(sessions, markets)],
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
            detail: readiness(sessions, markets).detail,
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
  parts: { readonly name: string; readonly markets: readonly RegionMarket[]; readonly relay: Relay },
): Sessions {
  const { context, region, sql } = deps;
  const { name, markets, relay } = parts;
  const running = new Map<Lease, { readonly session: MarketSession; readonly ended: Promise<void> }>();
  const store = createPostgresProposalStore(sql);

  function begin(lease: Lease): void {
    const market = markets.find((one) => one.partition === lease.partition);
    if (market === undefined) throw new Error(`No market of region "${region}" has partition ${lease.partition}`);
    const state = createMarketState(market, createHaversineTravelTime(market.travel));
    const metrics = createWorkerMetrics(context.meter, { region, market: market.marketId, consumer: matchingConsumer });
    const session = createMarketSession({ ...deps, serviceName: name, lease, state, store, metrics, onStored: () => relay.poke(region) });
    running.set(lease, { session, ended: session.run() });
  }

  async function end(lease: Lease): Promise<void> {
    await running.get(lease)?.ended;
    running.delete(lease);
  }

  const keeper = createLeaseKeeper({
    context,
    sql: deps.leaseSql,
    consumer: matchingConsumer,
    wanted: markets.map(({ partition }) => ({ homeRegion: region, partition })),
    onGained: begin,
    onLost: end,
  });
  const all = (): readonly MarketSession[] => [...running.values()].map(({ session }) => session).filter(({ lease }) => !lease.signal.aborted);
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

/** Ready when it holds a market and matches each one that it holds; a second process waits in reserve. */
function readiness(sessions: Sessions, markets: readonly RegionMarket[]): ReadinessPart {
  const held = sessions.all();
  const stalls = held.flatMap((session) => (session.stall() === "" ? [] : [`market "${session.state.market.marketId}": ${session.stall()}`]));
  const waits = held.length === 0 ? [`waits for the lease of ${markets.map((market) => `"${market.marketId}"`).join(", ")}`] : [];
  const detail = [...stalls, ...waits].join("; ");
  return { name: "matching", ready: detail === "", detail };
}
