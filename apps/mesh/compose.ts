/**
 * The one composition root: wires any set of apps into this process, whatever it is part of.
 *
 * Apps of the same process reach each other in memory, others over h2c with the mesh token; an app cannot tell. It
 * opens the pools and the event logs, starts apps in the order in which they need each other, and stops them backwards.
 */
import type { Transport } from "@connectrpc/connect";
import { msFromTimestamp } from "@ridegrid/contracts";
import { createEmbeddedEventLog, type EventLog, tracedEventLog } from "@ridegrid/eventlog";
import {
  asService,
  type CallTelemetry,
  createCallMetrics,
  createInMemoryTransport,
  createServiceDirectory,
  type Fault,
  h2cTransport,
  type Http2Listener,
  listenInternal,
  type ServiceDirectory,
  type ServiceName,
} from "@ridegrid/rpc";
import { type App, createPostgres, type Logger, type PlatformWriter, type ProcessContext, type ReadinessPart, type Sql } from "@ridegrid/runtime";
import type { Regions } from "@ridegrid/spatial";
import { buildApp, type HostedApp } from "./build-app.ts";
import { type AppTarget, serviceOfApp, targetName } from "./app-target.ts";
import { Complaint } from "./complaint.ts";
import { keepTopics, startTopics, type TopicKeeper } from "./keep-topics.ts";
import { brokerWaitMs, coordinatorPoolMax, eventLogPoolMax, matchingPoolMax, statePoolMax } from "./limits.ts";
import type { EdgeConfig, IdentityConfig, KafkaConfig } from "./read-environment.ts";
import { type StatusServer, serveStatus } from "./status-server.ts";

export type CompositionOptions = {
  readonly targets: readonly AppTarget[];
  readonly regions: Regions;
  readonly context: ProcessContext;
  readonly metricsText: () => Promise<string>;
  readonly databaseUrl: string | undefined;
  readonly logDatabaseUrl: (region: string) => string;
  /** Where a region's log is on brokers; on the embedded log when undefined. */
  readonly kafka: (region: string) => KafkaConfig | undefined;
  readonly identity: IdentityConfig | undefined;
  readonly pinSecret: string;
  readonly meshToken: string;
  readonly host: string;
  readonly gatewayPorts: (region: string) => { readonly http: number; readonly grpc: number };
  /** Where other processes reach the services of this one; undefined when there are no others. */
  readonly internalPort: number | undefined;
  readonly metricsPort: number | undefined;
  readonly peer: (service: ServiceName, region: string | null) => string | undefined;
  readonly production: boolean;
  readonly edge: EdgeConfig;
};

export interface Composition {
  /** Resolves when every app has begun; readiness may come later. */
  start(): Promise<void>;
  /** Finishes what there is, gives leases back, closes pools. Safe to call twice. */
  stop(): Promise<void>;
  readiness(): readonly ReadinessPart[];
  /** The primary's time: asked of the database, or of the coordinator where this process has no database. */
  databaseNowMs(): Promise<number>;
  /** Of a region's gateway, after `start()`. */
  gateway(region: string): { readonly url: string; readonly grpcAddress: string };
}

export async function compose(options: CompositionOptions): Promise<Composition> {
  const { context, targets } = options;
  const pools = createPools(options);
  const hosted = new Map<string, HostedApp>();
  const telemetry: CallTelemetry = { tracer: context.tracer, calls: createCallMetrics(context.meter) };
  const directory = createDirectory(options, hosted, telemetry);
  const logs = new Map(
    await Promise.all(logRegions(options).map(async (region) => [region, tracedEventLog(await openEventLog(region, options, pools), context)] as const)),
  );
  const keepers = [...logs].map(([region, log]) => keepTopics({ region, log, logger: context.logger, brokers: brokersOf(options.kafka(region)) }));
  const eventLogOf = (region: string): EventLog => {
    const log = logs.get(region);
    if (log === undefined) throw new Error(`No event log of region "${region}" is open in this process`);
    return log;
  };
  const readiness = (about: (target: AppTarget) => boolean): readonly ReadinessPart[] =>
    targets.filter(about).flatMap((target) => partsOf(target, hosted.get(targetName(target))));
  for (const target of targets) {
    const scope = (other: AppTarget): boolean => other.app !== "gateway" && (other.region === null || other.region === target.region);
    const app = await buildApp(target, { ...options, pools, eventLogOf, directory, otherParts: () => readiness(scope) });
    hosted.set(targetName(target), app);
  }
  return lifecycle({ options, hosted, pools, keepers, directory, telemetry, readiness: () => readiness(() => true) });
}

async function openEventLog(region: string, { kafka, context }: CompositionOptions, pools: Pools): Promise<EventLog> {
  const brokers = kafka(region);
  if (brokers === undefined) return createEmbeddedEventLog({ sql: pools.log(region), clock: context.clock });
  // Its client takes half a second of processor to load, which no start without a broker should pay.
  const { createKafkaEventLog } = await import("@ridegrid/eventlog/kafka");
  return createKafkaEventLog({ ...brokers, clientId: context.processId, compression: "lz4", clock: context.clock });
}

function brokersOf(kafka: KafkaConfig | undefined) {
  return kafka === undefined ? undefined : { addresses: kafka.brokers, waitMs: brokerWaitMs };
}

/** The coordinator relays to every region; a gateway alone touches no log. */
function logRegions({ targets, regions }: CompositionOptions): readonly string[] {
  const own = targets.filter(({ app }) => app !== "gateway").map(({ region }) => region);
  return own.includes(null) ? regions.all.map((region) => region.id) : [...new Set(own.filter((region) => region !== null))];
}

function partsOf(target: AppTarget, app: App | undefined): readonly ReadinessPart[] {
  return (app?.readiness() ?? []).map((part) => ({ ...part, name: `${targetName(target)}: ${part.name}` }));
}

type LifecycleDeps = {
  readonly options: CompositionOptions;
  readonly hosted: ReadonlyMap<string, HostedApp>;
  readonly pools: Pools;
  readonly keepers: readonly TopicKeeper[];
  readonly directory: ServiceDirectory;
  readonly telemetry: CallTelemetry;
  readonly readiness: () => readonly ReadinessPart[];
};

function lifecycle({ options, hosted, pools, keepers, directory, telemetry, readiness }: LifecycleDeps): Composition {
  let listener: Http2Listener | undefined;
  let status: StatusServer | undefined;
  let stopped: Promise<void> | undefined;

  async function stopAll(): Promise<void> {
    // Gateways stop first: nothing new comes in while the others finish what they have.
    for (const app of [...hosted.values()].toReversed())
      await app.stop().catch((error: unknown) => options.context.logger.error({ error }, `${app.name} did not stop cleanly`));
    await listener?.close();
    for (const keeper of keepers) await keeper.stop();
    await pools.end();
    await status?.stop();
  }

  return {
    async start() {
      status =
        options.metricsPort === undefined
          ? undefined
          : serveStatus({ host: options.host, port: options.metricsPort, metricsText: options.metricsText, readiness });
      await startTopics(keepers, options.context.logger);
      await startInTiers(hosted, options.context.logger, async () => {
        if (options.internalPort !== undefined) listener = await listenToPeers(options, { port: options.internalPort, hosted, telemetry });
      });
    },
    stop: () => (stopped ??= stopAll()),
    readiness,
    async databaseNowMs() {
      if (options.databaseUrl === undefined) return msFromTimestamp((await directory.coordinator().now({}, asService("clock"))).now) ?? Number.NaN;
      const [row] = await pools.platform(writerOf(options.targets))<{ now: number }[]>`SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS now`;
      return row?.now ?? Number.NaN;
    },
    gateway(region) {
      const app = hosted.get(`gateway.${region}`);
      if (app?.url === undefined || app.grpcAddress === undefined) throw new Error(`No gateway of region "${region}" runs in this process`);
      return { url: app.url, grpcAddress: app.grpcAddress };
    },
  };
}

type PeerListening = { readonly port: number; readonly hosted: ReadonlyMap<string, HostedApp>; readonly telemetry: CallTelemetry };

/** The coordinator first, whose tables the others' first calls need; gateways last: a port that answers should have something behind it. */
async function startInTiers(hosted: ReadonlyMap<string, HostedApp>, logger: Logger, beforeGateways: () => Promise<void>): Promise<void> {
  const tier = (app: HostedApp): number => (app.name === "assignment-coordinator" ? 0 : app.url === undefined ? 1 : 2);
  for (const current of [0, 1, 2]) {
    if (current === 2) await beforeGateways();
    // Side by side: each waits for the database many times.
    const apps = [...hosted.values()].filter((app) => tier(app) === current);
    await Promise.all(
      apps.map(async (app) => {
        await app.start();
        logger.info({ app: app.name }, "started");
      }),
    );
  }
}

function listenToPeers({ host, meshToken, context }: CompositionOptions, { port, hosted, telemetry }: PeerListening): Promise<Http2Listener> {
  const routes = [...hosted.values()].flatMap((app) => (app.routes === undefined ? [] : [app]));
  return listenInternal({
    host,
    port,
    token: meshToken,
    routes: (router) => {
      for (const app of routes) app.routes?.(router);
    },
    onFault: faultLog(context),
    telemetry,
  });
}

function createDirectory(options: CompositionOptions, hosted: ReadonlyMap<string, HostedApp>, telemetry: CallTelemetry): ServiceDirectory {
  return createServiceDirectory((service, region): Transport => {
    const target = options.targets.find((one) => serviceOfApp[one.app] === service && one.region === region);
    const app = target === undefined ? undefined : hosted.get(targetName(target));
    if (app?.routes !== undefined) return createInMemoryTransport((router) => app.routes?.(router), { onFault: faultLog(options.context), telemetry });
    const url = options.peer(service, region);
    if (url === undefined)
      throw new Complaint(`Cannot reach the ${service} service${region === null ? "" : ` of "${region}"`}: it does not run here and no peer address is set`);
    return h2cTransport({ url, token: options.meshToken, telemetry });
  });
}

function faultLog({ logger }: ProcessContext): (fault: Fault) => void {
  return ({ method, error, traceId, rideId }) => logger.error({ error, method, trace_id: traceId, ride_id: rideId }, "unforeseen fault");
}

/** A pool that is open anyway. */
function writerOf(targets: readonly AppTarget[]): PlatformWriter {
  const apps = targets.map(({ app }) => app);
  return apps.includes("assignment-coordinator") ? "coordinator" : apps.includes("matching-worker") ? "matching" : "state";
}

/** One pool for each writer's role and one for each region's log, opened at the first use. */
export interface Pools {
  platform(writer: PlatformWriter): Sql;
  /** One connection for one app's leases: a renewal never queues behind work. */
  leases(writer: PlatformWriter): Sql;
  /** For a relay: a connection for each region and two. */
  relay(writer: PlatformWriter): Sql;
  log(region: string): Sql;
  end(): Promise<void>;
}

const platformPoolMax: Readonly<Record<PlatformWriter, number>> = { coordinator: coordinatorPoolMax, matching: matchingPoolMax, state: statePoolMax };

function createPools({ databaseUrl, logDatabaseUrl, regions }: CompositionOptions): Pools {
  const opened: Sql[] = [];
  const open = (sql: Sql): Sql => (opened.push(sql), sql);
  const openAs = (writer: PlatformWriter, max: number, purpose: string): Sql => {
    if (databaseUrl === undefined) throw new Complaint("Cannot start: the environment variable DATABASE_URL is missing");
    return open(createPostgres({ url: databaseUrl, role: writer, schema: writer, max, applicationName: `ridegrid ${purpose}` }));
  };
  return {
    platform: once((writer: PlatformWriter) => openAs(writer, platformPoolMax[writer], writer)),
    leases: (writer) => openAs(writer, 1, `${writer} leases`),
    relay: (writer) => openAs(writer, regions.all.length + 2, `${writer} relay`),
    log: once((region: string) => open(createPostgres({ url: logDatabaseUrl(region), max: eventLogPoolMax, applicationName: `ridegrid log ${region}` }))),
    async end() {
      await Promise.all(opened.map((sql) => sql.end({ timeout: 5 })));
    },
  };
}

function once<K extends string, T>(make: (key: K) => T): (key: K) => T {
  const made = new Map<K, T>();
  return (key) => {
    const known = made.get(key);
    if (known !== undefined) return known;
    const value = make(key);
    made.set(key, value);
    return value;
  };
}
