/**
 * The gateway of one region: the public edge. Connect, gRPC-Web and JSON on one port, native gRPC on a second; who
 * calls, what they may see, and which service behind answers. Owns no data, and any gateway serves any ride.
 */
import { DriverService, OpsService, RiderService, timestampFromMs } from "@ridegrid/contracts";
import { Health } from "@ridegrid/contracts/gen/grpc/health/v1/health_pb";
import {
  apiError,
  createServingRegions,
  createCallMetrics,
  type FaultLog,
  mountConnect,
  peerAddressOf,
  nativeGrpcHandler,
  registerHealth,
  registerReflection,
  type Routes,
  type ServiceDirectory,
} from "@ridegrid/rpc";
import type { App, ProcessContext, ReadinessPart } from "@ridegrid/runtime";
import type { Regions } from "@ridegrid/spatial";
import { createAcknowledgementPace } from "./acknowledgement-pace.ts";
import { createAdmissionControl } from "./admission-control.ts";
import { readableByBrowsers } from "./browsers.ts";
import { createCallLimits } from "./call-limits.ts";
import { createCoordinatorProbe } from "./coordinator-probe.ts";
import { edgeOptions } from "./edge-options.ts";
import { type EdgeSockets, openEdgeSockets } from "./edge-sockets.ts";
import { httpRoutes } from "./http-routes.ts";
import { isDevelopmentIssuer } from "./identity.development.ts";
import { rememberingIdentity } from "./identity.remembering.ts";
import type { Identity } from "./identity.ts";
import { acknowledgeIntervalMs, heartbeatIntervalMs } from "./limits.ts";
import { pushedPositions } from "./handlers/stream-positions.ts";
import { createPositionStreams } from "./position-stream.ts";
import { createPositionsForwarder, type PositionsForwarder } from "./positions-forwarder.ts";
import { publicServices } from "./public-services.ts";
import { type RedisAddress, sharedBuckets } from "./shared-buckets.ts";
import { createSubmitPositions } from "./submit-positions.ts";

export { createDevelopmentIssuer, type DevelopmentIssuer } from "./identity.development.ts";
export { createJwksIdentity, type JwksIdentityOptions } from "./identity.jwks.ts";
export type { Identity } from "./identity.ts";

export type GatewayDeps = {
  readonly context: ProcessContext;
  readonly region: string;
  readonly regions: Regions;
  readonly directory: ServiceDirectory;
  readonly identity: Identity;
  readonly pinSecret: string;
  /** Port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number; readonly grpcPort: number };
  readonly production: boolean;
  /** What `/metrics` answers: the whole process's. Without it there is no such path. */
  readonly metricsText?: () => string | Promise<string>;
  /** What else must be ready before this process is sent calls. */
  readonly readiness?: () => readonly ReadinessPart[];
  /** Off in production unless asked for. */
  readonly reflection?: boolean;
  readonly heartbeatIntervalMs?: number;
  /** Where all gateways share their callers' buckets. Without it each has its own. */
  readonly redis?: RedisAddress;
  /** In which the proxy in front names a client's address. Without it the connection's own counts. */
  readonly clientAddressHeader?: string;
  /** What this gateway takes of riders' and drivers' calls; the rest is refused at once. */
  readonly requestsPerSecond?: number;
};

/** `url` and `grpcAddress` are known once `start` has resolved. */
export type Gateway = App & { readonly url: string; readonly grpcAddress: string };

/** @throws when a development issuer would serve production. */
export function createGateway(deps: GatewayDeps): Gateway {
  const { context, region, directory, identity, listen, production } = deps;
  if (production && isDevelopmentIssuer(identity)) throw new Error("Cannot create a production gateway: its identity is the development issuer");
  const name = `gateway.${region}`;
  const logger = context.logger.child({ app: name });
  const onFault: FaultLog = ({ method, error, traceId, rideId }) =>
    logger.error({ method, err: error, trace_id: traceId, ride_id: rideId }, "a public call failed inside the platform");
  const draining = new AbortController();
  const probe = createCoordinatorProbe(directory, name);
  const forwarders = createForwarders(directory, name);
  const serving = createServingRegions({ directory, serviceName: name });
  let sockets: EdgeSockets | undefined;

  const readiness = (): readonly ReadinessPart[] => [
    {
      name: "listening",
      ready: sockets !== undefined && !draining.signal.aborted,
      detail: draining.signal.aborted ? "it is stopping" : sockets === undefined ? "it has not started" : "",
    },
    probe.part,
  ];
  const isReady = (): boolean => readiness().every((part) => part.ready);
  const startTimeMs = context.clock.nowMs();
  const addressIn = (headers: Headers, peer: () => string): string =>
    (deps.clientAddressHeader === undefined ? null : headers.get(deps.clientAddressHeader)) ?? peer();
  const peerAddress = (request: Request): string => sockets?.peerAddress(request) ?? "";
  const limits = createCallLimits({
    clock: context.clock,
    meter: context.meter,
    addressOf: (call) => addressIn(call.requestHeader, () => peerAddressOf(call)),
    shared: deps.redis === undefined ? undefined : sharedBuckets(deps.redis),
  });
  const submit = createSubmitPositions({ regions: deps.regions, serving, forwarder: forwarders.of });
  const streams = createPositionStreams({
    ids: context.ids,
    submit,
    pace: createAcknowledgementPace({ intervalMs: acknowledgeIntervalMs }),
    chargeFor: (driverId) => limits.positionsOf(driverId),
  });
  const pushed = [pushedPositions(streams)];
  const services = publicServices({
    ...deps,
    submit,
    streams,
    serving,
    heartbeatIntervalMs: deps.heartbeatIntervalMs ?? heartbeatIntervalMs,
    ownProcess: () => ({ name, region, ready: isReady(), detail: unreadyDetail(readiness()), startTime: timestampFromMs(startTimeMs) }),
  });
  const options = edgeOptions({
    identity: rememberingIdentity(identity, context.clock),
    limits,
    admissionControl: createAdmissionControl({ clock: context.clock, random: context.random, requestsPerSecond: deps.requestsPerSecond }),
    clock: context.clock,
    ids: context.ids,
    tracer: context.tracer,
    metrics: createCallMetrics(context.meter),
    onFault,
    draining: draining.signal,
  });
  const nativeRoutes = withTools(services, { isServing: isReady, reflection: deps.reflection ?? !production });

  return {
    name,
    get url() {
      return sockets?.url ?? "";
    },
    get grpcAddress() {
      return sockets?.grpcAddress ?? "";
    },
    async start() {
      const app = httpRoutes({
        readiness: () => [...readiness(), ...(deps.readiness?.() ?? [])],
        metricsText: deps.metricsText,
        issuer: isDevelopmentIssuer(identity) ? identity : undefined,
        refuseToken: (request) => limits.refuseToken(addressIn(request.headers, () => peerAddress(request))),
      });
      const answer = mountConnect(app, services, options, { onFault, peerAddress, pushed });
      sockets = await openEdgeSockets({
        ...listen,
        fetch: readableByBrowsers(answer),
        native: nativeGrpcHandler(nativeRoutes, options, onFault, pushed),
        onFault,
      });
      probe.start();
      void serving.start();
    },
    async stop() {
      if (!draining.signal.aborted) draining.abort(apiError("DRAINING", "The gateway is stopping"));
      probe.stop();
      serving.stop();
      await sockets?.close();
      forwarders.close();
    },
    readiness,
  };
}

function createForwarders(directory: ServiceDirectory, name: string): { readonly of: (region: string) => PositionsForwarder; close(): void } {
  const forwarders = new Map<string, PositionsForwarder>();
  return {
    of(region) {
      const forwarder = forwarders.get(region) ?? createPositionsForwarder({ ingest: () => directory.ingest(region), name });
      forwarders.set(region, forwarder);
      return forwarder;
    },
    close: () => forwarders.forEach((forwarder) => forwarder.close()),
  };
}

/** Health, and reflection where it is wanted, beside the services. */
function withTools(services: Routes, { isServing, reflection }: { readonly isServing: () => boolean; readonly reflection: boolean }): Routes {
  const shown = [RiderService, DriverService, OpsService];
  return (router) => {
    services(router);
    registerHealth(router, { services: shown.map((service) => service.typeName), isServing });
    if (reflection)
      registerReflection(
        router,
        [...shown, Health].map((service) => service.file),
      );
  };
}

function unreadyDetail(parts: readonly ReadinessPart[]): string {
  return parts.flatMap((part) => (part.ready ? [] : [`${part.name}: ${part.detail}`])).join("; ");
}
