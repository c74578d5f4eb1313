/**
 * assignment-coordinator: the single writer of rides, offers, drivers and fares, with its outbox, sweeper and the
 * consumer of match proposals. Several of it may run: every guard is a row lock or a unique index.
 */
import { fileURLToPath } from "node:url";
import type { ConnectRouter } from "@connectrpc/connect";
import { createRelay, type EventLog, eventLogMigrations, type OutboxBounds } from "@ridegrid/eventlog";
import { createCapacity, type ServiceDirectory } from "@ridegrid/rpc";
import { type App, migrate, type ProcessContext, type ReadinessPart, type Sql } from "@ridegrid/runtime";
import type { Regions } from "@ridegrid/spatial";
import { createCleanup } from "./cleanup.ts";
import { createCommandGate } from "./command-gate.ts";
import { serviceName } from "./handlers/handler.ts";
import { commandsInFlightMax } from "./limits.ts";
import { marketRules } from "./market-rules.ts";
import { createPostgresOperatorStore } from "./operator-store.postgres.ts";
import { createProposalIntake } from "./proposal-intake.ts";
import { readViolations } from "./read-violations.postgres.ts";
import { createPostgresRideStore } from "./ride-store.postgres.ts";
import { tracedRideStore } from "./ride-store.traced.ts";
import { coordinatorRoutes } from "./routes.ts";
import { createSweeper } from "./sweeper.ts";
import { traceOfOfferIn } from "./trace-of-offer.postgres.ts";

export type CoordinatorDeps = {
  readonly context: ProcessContext;
  /** Commands, reads, proposals and the sweeper. Role and schema "coordinator". */
  readonly sql: Sql;
  /** The relay's own pool: a connection for each region and two. `sql` when left out. */
  readonly relaySql?: Sql;
  /** The leases' own pool of one. `sql` when left out. */
  readonly leaseSql?: Sql;
  readonly regions: Regions;
  readonly eventLog: (region: string) => EventLog;
  readonly directory: ServiceDirectory;
  readonly pinSecret: string;
  /** What it takes of riders' and drivers' requests; the rest is refused at once. No bound when left out. */
  readonly requestsPerSecond?: number;
  /** At which new rides are refused because too much waits to be published. */
  readonly outboxBounds?: OutboxBounds;
};

export type Coordinator = App & { routes(router: ConnectRouter): void };

/** The consumer name under which matching workers hold their leases: what a proposal's epoch is checked against. */
export const matchingConsumer = "matching-worker";

export const coordinatorMigrations: readonly string[] = [eventLogMigrations, fileURLToPath(new URL("./migrations", import.meta.url))];

export function createCoordinator(deps: CoordinatorDeps): Coordinator {
  const { context, sql, regions, eventLog, directory, pinSecret } = deps;
  const { ids, logger } = context;
  const relay = createRelay({
    context,
    sql: deps.relaySql ?? sql,
    writer: serviceName,
    regions: regions.all.map(({ id }) => id),
    eventLog,
    ...(deps.outboxBounds === undefined ? {} : { bounds: deps.outboxBounds }),
  });
  const onCommit = (homeRegion: string): void => relay.poke(homeRegion);
  const marketIds = regions.all.flatMap(({ markets }) => markets.map(({ marketId }) => marketId));
  const proposals = { ids, regions, matchingConsumer, marketIds, policyOfMarket: (marketId: string) => marketRules(regions, { marketId }).policy };
  const intake = createProposalIntake({ context, sql, leaseSql: deps.leaseSql ?? sql, proposals, eventLog, onCommit });
  const sweeper = createSweeper({ sql, ids, regions, logger, onCommit });
  const cleanup = createCleanup({ sql, logger });
  const rides = createPostgresRideStore({ sql, ids, regions, onCommit, isOutboxFull: () => relay.backlog().full });
  const store = tracedRideStore(rides, traceOfOfferIn(sql));
  const operators = createPostgresOperatorStore({ sql, ids, regions, proposals, onCommit });
  const capacity = createCapacity({
    clock: context.clock,
    random: context.random,
    requestsPerSecond: deps.requestsPerSecond,
    inFlightMax: commandsInFlightMax,
  });
  const gate = createCommandGate({ capacity });
  const startTimeMs = context.clock.nowMs();
  let started = false;

  const readiness = (): readonly ReadinessPart[] => [
    { name: `${serviceName}.started`, ready: started, detail: started ? "" : "its tables are being migrated" },
    { name: `${serviceName}.database`, ready: sweeper.failing() === "", detail: sweeper.failing() },
  ];

  gaugeViolations(context, sql);
  return {
    name: serviceName,
    async start() {
      await migrate(sql, coordinatorMigrations);
      await relay.start();
      await intake.start();
      sweeper.start();
      cleanup.start();
      started = true;
    },
    async stop() {
      started = false;
      await Promise.all([intake.stop(), sweeper.stop(), cleanup.stop()]);
      // Last: what was committed until now is published before the leases go.
      await relay.stop();
    },
    readiness,
    routes: (router) => coordinatorRoutes(router, gate, { store, operators, sql, ids, regions, directory, pinSecret, eventLog, relay, readiness, startTimeMs }),
  };
}

/** Read when somebody asks for metrics: the view costs nothing in between. */
function gaugeViolations({ meter, logger }: ProcessContext, sql: Sql): void {
  const gauge = meter.createObservableGauge("invariant_violations", { description: "Rows of the coordinator's invariant_violations view" });
  gauge.addCallback(async (result) => {
    try {
      result.observe((await readViolations(sql)).length);
    } catch (error) {
      logger.warn({ error }, "Cannot read the invariant violations");
    }
  });
}
