/**
 * Apps in processes of their own, supervised: `main.ts start …` with everything it needs in its environment.
 *
 * Addresses are fixed before the first start, so that a child that was killed comes back where its peers look for it.
 */
import { join } from "node:path";
import type { Environment, Logger } from "@ridegrid/runtime";
import { type AppTarget, serviceOfApp, targetName } from "./app-target.ts";
import type { PortPlan } from "./free-port.ts";
import { childStopTimeoutMs, internalPortFirst } from "./limits.ts";
import { peerVariable } from "./read-environment.ts";
import { type AppsPlan, gatewayUrl, portsOf, type RunningApps, unreadyParts } from "./running-apps.ts";
import { type SupervisedProcess, superviseProcess } from "./supervised-process.ts";

/** Apps that share one child. */
type Group = {
  readonly name: string;
  readonly targets: readonly AppTarget[];
  readonly internalPort: number | undefined;
  readonly metricsPort: number | undefined;
};

export type ChildrenOptions = {
  readonly plan: AppsPlan;
  /** "each app": a process each. "together": one for all, which a source change can restart without the mesh. */
  readonly grouping: "each app" | "together";
  readonly ports: PortPlan;
  readonly portOffset: number;
  readonly environment: Environment;
  readonly logger: Logger;
  readonly write: (line: string) => void;
  readonly isKeptDown: (name: string) => boolean;
  /** A child got a new pid. */
  readonly onChange: () => void;
};

export async function runChildren(options: ChildrenOptions): Promise<RunningApps> {
  const { plan, grouping } = options;
  const groups =
    grouping === "together" ? [{ name: "apps", targets: plan.targets, internalPort: undefined, metricsPort: undefined }] : await groupEach(options);
  const shared = sharedEnvironment(options, groups);
  const children = new Map<string, SupervisedProcess>();

  function startGroup(group: Group): void {
    const child = superviseProcess({
      name: group.name,
      script: [join(import.meta.dir, "main.ts"), "start", ...argumentsOf(group.targets)],
      env: { ...shared, ...ownEnvironment(group) },
      stopTimeoutMs: childStopTimeoutMs,
      logger: options.logger,
      write: options.write,
      isKeptDown: () => options.isKeptDown(group.name),
      onStart: () => options.onChange(),
    });
    children.set(group.name, child);
  }

  return {
    async start() {
      groups.forEach(startGroup);
    },
    async unready() {
      const answers = await Promise.all(groups.flatMap((group) => statusUrls(plan, group).map(([name, url]) => unreadyParts(name, `${url}/readyz`))));
      return answers.flat();
    },
    pids: () => Object.fromEntries(groups.flatMap((group) => group.targets.map((target) => [targetName(target), children.get(group.name)?.pid() ?? 0]))),
    metrics: () => Object.fromEntries(groups.flatMap((group) => metricsUrls(plan, group))),
    async restart() {
      await Promise.all([...children.values()].map((child) => child.restart()));
    },
    async stop() {
      // Gateways first, so that nothing new comes in; then all the others side by side.
      const [gateways, others] = [[...children.values()].filter(isGateway), [...children.values()].filter((child) => !isGateway(child))];
      await Promise.all(gateways.map((child) => child.stop()));
      await Promise.all(others.map((child) => child.stop()));
    },
  };
}

function isGateway(child: SupervisedProcess): boolean {
  return child.name.startsWith("gateway.");
}

/** A gateway offers no service to others and serves its own status; every other app has a port for each. */
async function groupEach({ plan, ports, portOffset }: ChildrenOptions): Promise<readonly Group[]> {
  const groups: Group[] = [];
  for (const target of plan.targets) {
    const name = targetName(target);
    const wanted = internalPortFirst + portOffset + 2 * groups.length;
    const isEdge = serviceOfApp[target.app] === null;
    groups.push({
      name,
      targets: [target],
      internalPort: isEdge ? undefined : await ports.take(`the service of ${name}`, wanted),
      metricsPort: isEdge ? undefined : await ports.take(`the metrics of ${name}`, wanted + 1),
    });
  }
  return groups;
}

function argumentsOf(targets: readonly AppTarget[]): readonly string[] {
  const apps = [...new Set(targets.map(({ app }) => app))];
  const regions = [...new Set(targets.flatMap(({ region }) => (region === null ? [] : [region])))];
  return [...apps, ...regions.flatMap((region) => ["--region", region])];
}

function sharedEnvironment({ plan, environment }: ChildrenOptions, groups: readonly Group[]): Environment {
  const regions = [...plan.gatewayPorts.keys()];
  const peers = groups.flatMap(({ targets, internalPort }) =>
    targets.flatMap(({ app, region }) => {
      const service = serviceOfApp[app];
      return service === null || internalPort === undefined ? [] : [[peerVariable(service, region), `http://127.0.0.1:${internalPort}`]];
    }),
  );
  return {
    ...environment,
    ...Object.fromEntries(peers),
    ...Object.fromEntries(
      regions.flatMap((region) =>
        Object.entries({
          [`RIDEGRID_LOG_DATABASE_URL_${region.toUpperCase()}`]: plan.logDatabaseUrl(region),
          [`RIDEGRID_GATEWAY_PORT_${region.toUpperCase()}`]: String(portsOf(plan, region).http),
          [`RIDEGRID_GRPC_PORT_${region.toUpperCase()}`]: String(portsOf(plan, region).grpc),
        }),
      ),
    ),
    NODE_ENV: "development",
    DATABASE_URL: plan.databaseUrl,
    RIDEGRID_REGIONS_FILE: plan.regionsFile,
    RIDEGRID_DEV_ISSUER_JWK: JSON.stringify(plan.secrets.issuerJwk),
    RIDEGRID_JWKS_URL: undefined,
    RIDEGRID_PIN_SECRET: plan.secrets.pinSecret,
    RIDEGRID_MESH_TOKEN: plan.secrets.meshToken,
    RIDEGRID_HOST: "127.0.0.1",
    RIDEGRID_LOG_FORMAT: plan.logFormat,
    RIDEGRID_LOG_LEVEL: plan.logLevel,
  };
}

function ownEnvironment({ internalPort, metricsPort }: Group): Environment {
  return { RIDEGRID_INTERNAL_PORT: internalPort?.toString(), RIDEGRID_METRICS_PORT: metricsPort?.toString() };
}

/** Where a child says whether it is ready: its own status port, or that of each gateway in it. */
function statusUrls(plan: AppsPlan, { name, targets, metricsPort }: Group): readonly (readonly [string, string])[] {
  if (metricsPort !== undefined) return [[name, `http://127.0.0.1:${metricsPort}`]];
  return targets.flatMap(({ app, region }) => (app === "gateway" && region !== null ? [[`gateway.${region}`, gatewayUrl(plan, region)] as const] : []));
}

function metricsUrls(plan: AppsPlan, group: Group): readonly (readonly [string, string])[] {
  const base = statusUrls(plan, group)[0]?.[1];
  return base === undefined ? [] : group.targets.map((target) => [targetName(target), `${base}/metrics`]);
}
