/** Every app in the mesh's own process, calling each other in memory. */
import type { Logger, TracingConfig } from "@ridegrid/runtime";
import { targetName } from "./app-target.ts";
import { hostProcess } from "./host-process.ts";
import type { EdgeConfig } from "./read-environment.ts";
import { type AppsPlan, gatewayUrl, portsOf, type RunningApps, unreadyParts } from "./running-apps.ts";

type InProcessOptions = { readonly logger: Logger; readonly edge: EdgeConfig; readonly tracing: TracingConfig | undefined };

export async function runInProcess(plan: AppsPlan, { logger, edge, tracing }: InProcessOptions): Promise<RunningApps> {
  const names = plan.targets.map(targetName);
  const gateways = plan.targets.flatMap(({ app, region }) => (app === "gateway" && region !== null ? [region] : []));
  const host = await hostProcess({
    serviceName: "ridegrid",
    logger,
    targets: plan.targets,
    regions: plan.regions,
    databaseUrl: plan.databaseUrl,
    logDatabaseUrl: plan.logDatabaseUrl,
    kafka: plan.kafka,
    identity: { kind: "development", issuerJwk: plan.secrets.issuerJwk },
    pinSecret: plan.secrets.pinSecret,
    meshToken: plan.secrets.meshToken,
    host: "127.0.0.1",
    gatewayPorts: (region) => portsOf(plan, region),
    internalPort: undefined,
    metricsPort: undefined,
    peer: () => undefined,
    production: false,
    edge,
    tracing,
  });
  // One registry: each app's measurements are at the same place.
  const metricsUrl = gateways[0] === undefined ? undefined : `${gatewayUrl(plan, gateways[0])}/metrics`;
  return {
    start: () => host.start(),
    async unready() {
      const parts = host.composition.readiness().filter((part) => !part.ready);
      if (parts.length > 0) return parts.map((part) => `${part.name} (${part.detail})`);
      const answers = await Promise.all(gateways.map((region) => unreadyParts(`gateway.${region}`, `${gatewayUrl(plan, region)}/readyz`)));
      return answers.flat();
    },
    pids: () => Object.fromEntries(names.map((name) => [name, process.pid])),
    metrics: () => (metricsUrl === undefined ? {} : Object.fromEntries(names.map((name) => [name, metricsUrl]))),
    restart: () => Promise.reject(new Error("Cannot restart apps that share the mesh's process")),
    stop: () => host.stop(),
  };
}
