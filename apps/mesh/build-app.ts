/**
 * Makes one app from what its process has. Each app's code is loaded only where it runs, so that a process of one app
 * carries no other.
 */
import type { ConnectRouter } from "@connectrpc/connect";
import type { EventLog } from "@ridegrid/eventlog";
import type { ServiceDirectory } from "@ridegrid/rpc";
import type { App, ProcessContext, ReadinessPart } from "@ridegrid/runtime";
import type { Regions } from "@ridegrid/spatial";
import { type AppTarget, targetName } from "./app-target.ts";
import { Complaint } from "./complaint.ts";
import type { Pools } from "./compose.ts";
import type { EdgeConfig, IdentityConfig } from "./read-environment.ts";

/** An app with what only some have: services for others, or a public edge. */
export type HostedApp = App & { routes?(router: ConnectRouter): void; readonly url?: string; readonly grpcAddress?: string };

export type BuildOptions = {
  readonly context: ProcessContext;
  readonly regions: Regions;
  readonly pools: Pools;
  readonly eventLogOf: (region: string) => EventLog;
  readonly directory: ServiceDirectory;
  readonly pinSecret: string;
  readonly identity: IdentityConfig | undefined;
  readonly host: string;
  readonly gatewayPorts: (region: string) => { readonly http: number; readonly grpc: number };
  readonly metricsText: () => Promise<string>;
  /** Where metrics have a port of their own, a gateway does not show them to the public. */
  readonly metricsPort: number | undefined;
  readonly otherParts: () => readonly ReadinessPart[];
  readonly production: boolean;
  readonly edge: EdgeConfig;
};

export async function buildApp(target: AppTarget, options: BuildOptions): Promise<HostedApp> {
  const context = { ...options.context, logger: options.context.logger.child({ app: targetName(target) }) };
  const { regions, pools, eventLogOf, directory, pinSecret } = options;
  if (target.app === "assignment-coordinator") {
    const { createCoordinator } = await import("@ridegrid/assignment-coordinator/app");
    return createCoordinator({
      context,
      sql: pools.platform("coordinator"),
      relaySql: pools.relay("coordinator"),
      leaseSql: pools.leases("coordinator"),
      regions,
      eventLog: eventLogOf,
      directory,
      pinSecret,
      ...(options.edge.capacity === undefined ? {} : { requestsPerSecond: options.edge.capacity }),
    });
  }
  const region = regionOf(target);
  const regional = { context, region, regions, directory };
  switch (target.app) {
    case "matching-worker": {
      const { createMatchingWorker } = await import("@ridegrid/matching-worker/app");
      return createMatchingWorker({
        ...regional,
        sql: pools.platform("matching"),
        leaseSql: pools.leases("matching"),
        relaySql: pools.relay("matching"),
        eventLog: eventLogOf(region),
      });
    }
    case "telemetry-ingest": {
      const { createTelemetryIngest } = await import("@ridegrid/telemetry-ingest/app");
      return createTelemetryIngest({ ...regional, eventLog: eventLogOf(region) });
    }
    case "state-query": {
      const { createStateQuery } = await import("@ridegrid/state-query/app");
      return createStateQuery({
        ...regional,
        sql: pools.platform("state"),
        leaseSql: pools.leases("state"),
        eventLog: eventLogOf(region),
        ...redisOf(options.edge),
      });
    }
    case "gateway": {
      return await buildGateway(region, context, options);
    }
  }
}

/** Loads every app's code ahead of its use, beside whatever else a start waits for. */
export async function loadApps(): Promise<void> {
  await Promise.all([
    import("@ridegrid/assignment-coordinator/app"),
    import("@ridegrid/matching-worker/app"),
    import("@ridegrid/telemetry-ingest/app"),
    import("@ridegrid/state-query/app"),
    import("@ridegrid/gateway/app"),
  ]);
}

function regionOf({ app, region }: AppTarget): string {
  if (region === null) throw new Complaint(`Cannot start "${app}": it needs a region`);
  return region;
}

async function buildGateway(region: string, context: ProcessContext, options: BuildOptions): Promise<HostedApp> {
  const { createGateway } = await import("@ridegrid/gateway/app");
  const { http, grpc } = options.gatewayPorts(region);
  return createGateway({
    context,
    region,
    regions: options.regions,
    directory: options.directory,
    identity: await identityFor(context, options.identity),
    pinSecret: options.pinSecret,
    listen: { host: options.host, port: http, grpcPort: grpc },
    production: options.production,
    ...(options.metricsPort === undefined ? { metricsText: options.metricsText } : {}),
    readiness: options.otherParts,
    ...edgeOf(options.edge),
  });
}

function redisOf({ redis }: Pick<EdgeConfig, "redis">) {
  return redis === undefined ? {} : { redis };
}

function edgeOf({ clientAddressHeader, capacity, ...shared }: EdgeConfig) {
  return {
    ...redisOf(shared),
    ...(clientAddressHeader === undefined ? {} : { clientAddressHeader }),
    ...(capacity === undefined ? {} : { requestsPerSecond: capacity }),
  };
}

async function identityFor({ clock }: ProcessContext, config: IdentityConfig | undefined) {
  const { createDevelopmentIssuer, createJwksIdentity } = await import("@ridegrid/gateway/app");
  if (config === undefined) throw new Complaint('Cannot start: "gateway" needs an identity');
  if (config.kind === "development") return await createDevelopmentIssuer({ clock, privateJwk: config.issuerJwk });
  return createJwksIdentity({ url: config.url, issuer: config.issuer, audience: config.audience, clock });
}
