/**
 * The whole system on one machine: Postgres, databases, every app of every region, and a city that uses them.
 *
 * `startMesh` resolves when all is ready and `mesh.json` says so. Whatever goes wrong on the way, what was started is
 * stopped again, in the reverse order.
 */
import { mkdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type Environment, type Logger, readTracingConfig } from "@ridegrid/runtime";
import { allTargets } from "./app-target.ts";
import { loadApps } from "./build-app.ts";
import { type City, type CityOptions, startCity } from "./city.ts";
import { Complaint } from "./complaint.ts";
import { logDatabaseName, platformDatabase } from "./database-names.ts";
import { createPortPlan, type PortChoice, type PortPlan } from "./free-port.ts";
import { isKeptDown } from "./kept-down.ts";
import { keepPostgres, type KeptPostgres } from "./kept-postgres.ts";
import { gatewayPortFirst, grpcPortFirst, portsPerRegion, readyPollMs, readyTimeoutMs } from "./limits.ts";
import { type MeshBrokers, openBrokers } from "./mesh-brokers.ts";
import { type MeshFile, removeMeshFile, writeMeshFile } from "./mesh-file.ts";
import { ensureDatabases, preparePlatform } from "./prepare-databases.ts";
import { type LogLevel, readEdge } from "./read-environment.ts";
import { readRegionsFile } from "./regions-file.ts";
import { runChildren } from "./running-apps.children.ts";
import { runInProcess } from "./running-apps.in-process.ts";
import { type AppsPlan, gatewayUrl, portsOf, type RunningApps } from "./running-apps.ts";
import { ensureSecrets } from "./secrets.ts";
import { watchSources } from "./watch-sources.ts";

export type MeshOptions = {
  readonly directory: string;
  readonly regionsFile: string;
  readonly ports: PortChoice;
  /** Added to every port. */
  readonly portOffset: number;
  readonly processes: boolean;
  readonly watch: boolean;
  /** A real broker for the event logs. */
  readonly kafka: boolean;
  /** None when undefined. */
  readonly city: CityOptions | undefined;
  readonly environment: Environment;
  readonly logFormat: "json" | "readable";
  readonly logLevel: LogLevel;
  readonly logger: Logger;
  readonly write: (line: string) => void;
  /** Gives up a start that is under way. */
  readonly signal: AbortSignal;
};

export interface Mesh {
  file(): MeshFile;
  /** What a person should know: ports that were moved, a Postgres that was taken over. */
  readonly notes: readonly string[];
  /** Safe to call twice. */
  stop(): Promise<void>;
}

export async function startMesh(options: MeshOptions): Promise<Mesh> {
  const undo: (() => Promise<void> | void)[] = [];
  const unwind = async (): Promise<void> => {
    for (const step of undo.splice(0).toReversed()) {
      await Promise.resolve(step()).catch((error: unknown) => options.logger.error({ error }, "a part of the mesh did not stop cleanly"));
    }
  };
  let stopped: Promise<void> | undefined;
  try {
    const mesh = await startParts(options, undo);
    return { ...mesh, stop: () => (stopped ??= unwind()) };
  } catch (error) {
    await unwind();
    throw error;
  }
}

async function startParts(options: MeshOptions, undo: (() => Promise<void> | void)[]): Promise<Omit<Mesh, "stop">> {
  const { directory, logger, signal } = options;
  mkdirSync(directory, { recursive: true });
  removeMeshFile(directory);
  const onRestart = (): void => publish(state);
  const state: MeshState = { options, startedAt: new Date().toISOString(), ready: false };
  const ports = createPortPlan(options.ports);
  const regions = readRegionsFile(options.regionsFile);
  const regionIds = regions.all.map((region) => region.id);
  const gatewayPorts = await planGateways(regionIds, ports, options.portOffset);

  const brokers = await openBrokers({ ...options, ownBroker: options.kafka, regions: regionIds, ports, onRestart });
  state.brokers = brokers;
  undo.push(() => brokers.stop());
  signal.throwIfAborted();
  // The city is a process that takes as long to load as all else takes to start; it waits until a gateway answers.
  state.city = startCityOf(state, gatewayUrl({ gatewayPorts }, regionIds[0] ?? ""));
  undo.push(() => state.city?.stop());
  // Whoever needs them says what is wrong with them.
  if (!options.processes && !options.watch) void loadApps().catch(() => {});
  state.postgres = await keepPostgres({ directory, ports, portOffset: options.portOffset, logger, onRestart });
  undo.push(() => state.postgres?.stop());
  signal.throwIfAborted();
  await ensureDatabases(state.postgres.databaseUrl("postgres"), [platformDatabase, ...regionIds.map(logDatabaseName)]);
  await preparePlatform(state.postgres.databaseUrl(platformDatabase));
  signal.throwIfAborted();

  const plan: AppsPlan = {
    targets: allTargets(regionIds),
    regions,
    regionsFile: options.regionsFile,
    secrets: await ensureSecrets(directory),
    databaseUrl: state.postgres.databaseUrl(platformDatabase),
    logDatabaseUrl: (region) => state.postgres?.databaseUrl(logDatabaseName(region)) ?? "",
    kafka: brokers.of,
    gatewayPorts,
    logFormat: options.logFormat,
    logLevel: options.logLevel,
  };
  state.plan = plan;
  const apps = await makeApps(state, plan, ports);
  state.apps = apps;
  undo.push(() => apps.stop());
  // Begun long ago, it ends before the apps.
  undo.push(() => state.city?.stop());
  await apps.start();
  await untilReady(apps, signal);

  const watch = options.watch ? watchSources(() => restartApps(apps, logger)) : undefined;
  undo.push(() => watch?.stop());
  state.ready = true;
  // First of all when stopping: whoever reads it must not find a mesh that is going away.
  undo.push(() => {
    state.ready = false;
    removeMeshFile(directory);
  });
  publish(state);
  return { file: () => fileOf(state), notes: notesOf(state, ports) };
}

type MeshState = {
  readonly options: MeshOptions;
  readonly startedAt: string;
  postgres?: KeptPostgres;
  brokers?: MeshBrokers;
  plan?: AppsPlan;
  apps?: RunningApps;
  city?: City | undefined;
  ready: boolean;
};

async function planGateways(
  regions: readonly string[],
  ports: PortPlan,
  offset: number,
): Promise<ReadonlyMap<string, { readonly http: number; readonly grpc: number }>> {
  const planned = new Map<string, { readonly http: number; readonly grpc: number }>();
  for (const [index, region] of regions.entries()) {
    const shift = offset + index * portsPerRegion;
    const http = await ports.take(`the gateway of ${region}`, gatewayPortFirst + shift);
    const grpc = await ports.take(`native gRPC of ${region}`, grpcPortFirst + shift);
    planned.set(region, { http, grpc });
  }
  return planned;
}

async function makeApps(state: MeshState, plan: AppsPlan, ports: PortPlan): Promise<RunningApps> {
  const { directory, processes, watch, logger, write, portOffset } = state.options;
  const environment = { ...state.options.environment, ...state.brokers?.environment };
  // Code cannot be loaded twice into one process: what a change restarts lives in a child.
  if (!processes && !watch) return await runInProcess(plan, { logger, edge: readEdge(environment, "the mesh"), tracing: readTracingConfig(environment) });
  const grouping = processes ? "each app" : "together";
  return await runChildren({
    plan,
    grouping,
    ports,
    portOffset,
    environment,
    logger,
    write,
    isKeptDown: (name) => isKeptDown(directory, name),
    onChange: () => publish(state),
  });
}

function startCityOf(state: MeshState, url: string): City | undefined {
  const { city, environment, logger, write } = state.options;
  return city === undefined ? undefined : startCity(city, { url, environment, logger, write, onStart: () => publish(state) });
}

async function restartApps(apps: RunningApps, logger: Logger): Promise<void> {
  logger.info("the source changed; starting the apps again");
  await apps.restart();
}

async function untilReady(apps: RunningApps, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + readyTimeoutMs;
  for (;;) {
    signal.throwIfAborted();
    const unready = await apps.unready();
    if (unready.length === 0) return;
    if (performance.now() > deadline) throw new Complaint(`Cannot start the mesh: not ready after ${readyTimeoutMs / 1000} s: ${unready.join("; ")}`);
    await sleep(readyPollMs);
  }
}

function publish(state: MeshState): void {
  if (state.ready) writeMeshFile(state.options.directory, fileOf(state));
}

function fileOf({ plan, apps, postgres, brokers, city, startedAt }: MeshState): MeshFile {
  if (plan === undefined || apps === undefined || postgres === undefined) throw new Error("Cannot describe the mesh: it has not started");
  const regions = [...plan.gatewayPorts.keys()];
  const [cityPid, kafkaPid] = [city?.pid(), brokers?.pid()];
  return {
    pids: {
      mesh: process.pid,
      postgres: postgres.pid(),
      ...(kafkaPid === undefined ? {} : { kafka: kafkaPid }),
      ...apps.pids(),
      ...(cityPid === undefined ? {} : { simulator: cityPid }),
    },
    gateways: Object.fromEntries(regions.map((region) => [region, gatewayUrl(plan, region)])),
    grpc: Object.fromEntries(regions.map((region) => [region, `localhost:${portsOf(plan, region).grpc}`])),
    metrics: apps.metrics(),
    ...(brokers?.addresses === undefined ? {} : { kafka: brokers.addresses }),
    databaseUrl: plan.databaseUrl,
    startedAt,
  };
}

function notesOf({ postgres }: MeshState, ports: PortPlan): readonly string[] {
  return [...(postgres?.adopted === true ? [`took over the Postgres that an earlier mesh left running (pid ${postgres.pid()})`] : []), ...ports.moved];
}
