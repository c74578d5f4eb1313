/**
 * The configuration of `start`: environment variables in, what the apps of this process need out.
 *
 * Which variables there are is `packages/runtime`'s list; this says which app needs which. Only `main.ts` touches the
 * environment itself.
 */
import { readFileSync } from "node:fs";
import { type Environment, readTracingConfig, readVariable, requireVariable, type TracingConfig, type ValueOf, type VariableName } from "@ridegrid/runtime";
import type { KafkaEventLogOptions } from "@ridegrid/eventlog/kafka";
import type { ServiceName } from "@ridegrid/rpc";
import { type AppTarget, serviceOfApp, targetName } from "./app-target.ts";
import { Complaint } from "./complaint.ts";
import { logDatabaseName, withDatabase } from "./database-names.ts";
import type { Jwk } from "./secrets.ts";

export type LogLevel = ValueOf<"RIDEGRID_LOG_LEVEL">;

export type IdentityConfig =
  | { readonly kind: "jwks"; readonly url: string; readonly issuer: string; readonly audience: string }
  | { readonly kind: "development"; readonly issuerJwk: Jwk };

export type StartConfig = {
  /** Undefined where no app of this process needs it. */
  readonly databaseUrl: string | undefined;
  readonly logDatabaseUrl: (region: string) => string;
  readonly kafka: (region: string) => KafkaConfig | undefined;
  readonly identity: IdentityConfig | undefined;
  readonly pinSecret: string;
  readonly meshToken: string;
  readonly host: string;
  readonly gatewayPorts: (region: string) => { readonly http: number; readonly grpc: number };
  readonly internalPort: number | undefined;
  readonly metricsPort: number | undefined;
  readonly peer: (service: ServiceName, region: string | null) => string | undefined;
  readonly logFormat: ValueOf<"RIDEGRID_LOG_FORMAT">;
  readonly logLevel: LogLevel;
  readonly tracing: TracingConfig | undefined;
  readonly production: boolean;
  readonly edge: EdgeConfig;
};

export type KafkaConfig = Pick<KafkaEventLogOptions, "brokers" | "replicas" | "tls" | "sasl">;

/** What protects the platform from its callers. */
export type EdgeConfig = {
  readonly redis: { readonly url: string; readonly token: string } | undefined;
  readonly clientAddressHeader: string | undefined;
  /** Requests a second. */
  readonly capacity: number | undefined;
};

export function readEnvironment(env: Environment, targets: readonly AppTarget[]): StartConfig {
  const neededBy = targets.map((target) => `"${targetName(target)}"`).join(", ");
  const required = <Name extends VariableName>(name: Name): ValueOf<Name> => requireVariable(env, name, { neededBy });
  const withDefault = <Name extends VariableName>(name: Name, region?: string): ValueOf<Name> =>
    requireVariable(env, name, region === undefined ? {} : { region });
  const apps = targets.map((target) => target.app);
  const hasGateway = apps.includes("gateway");
  const databaseUrl = apps.some((app) => app !== "gateway") ? required("DATABASE_URL") : undefined;
  const alone = targets.every((target) => peersOf(target).every((peer) => isHere(peer, targets)));
  return {
    databaseUrl,
    logDatabaseUrl: (region) => readVariable(env, "RIDEGRID_LOG_DATABASE_URL", { region }) ?? withDatabase(databaseUrl ?? "", logDatabaseName(region)),
    kafka: (region) => readKafka(env, region),
    identity: hasGateway ? identity(env, neededBy) : undefined,
    pinSecret: hasGateway || apps.includes("assignment-coordinator") ? required("RIDEGRID_PIN_SECRET") : "",
    meshToken: alone ? (readVariable(env, "RIDEGRID_MESH_TOKEN") ?? "") : required("RIDEGRID_MESH_TOKEN"),
    host: withDefault("RIDEGRID_HOST"),
    gatewayPorts: (region) => ({ http: withDefault("RIDEGRID_GATEWAY_PORT", region), grpc: withDefault("RIDEGRID_GRPC_PORT", region) }),
    // A gateway offers no service to others.
    internalPort: apps.every((app) => app === "gateway") ? undefined : (readVariable(env, "RIDEGRID_INTERNAL_PORT") ?? (alone ? undefined : 0)),
    metricsPort: readVariable(env, "RIDEGRID_METRICS_PORT") ?? (hasGateway ? undefined : 0),
    peer: (service, region) => peerUrl(env, service, region),
    logFormat: withDefault("RIDEGRID_LOG_FORMAT"),
    logLevel: withDefault("RIDEGRID_LOG_LEVEL"),
    tracing: readTracingConfig(env),
    production: readVariable(env, "NODE_ENV") === "production",
    edge: readEdge(env, neededBy),
  };
}

export function readKafka(env: Environment, region: string): KafkaConfig | undefined {
  const brokers = readVariable(env, "KAFKA_BROKERS", { region });
  if (brokers === undefined) return undefined;
  const mechanism = readVariable(env, "KAFKA_SASL_MECHANISM");
  const needed = { neededBy: "KAFKA_SASL_MECHANISM" };
  return {
    brokers,
    replicas: requireVariable(env, "KAFKA_REPLICAS"),
    ...(requireVariable(env, "KAFKA_TLS") === "on" ? { tls: certificates(env) } : {}),
    ...(mechanism === undefined
      ? {}
      : { sasl: { mechanism, username: requireVariable(env, "KAFKA_SASL_USERNAME", needed), password: requireVariable(env, "KAFKA_SASL_PASSWORD", needed) } }),
  };
}

/** Whom to believe: the system's authorities when no file is named. */
function certificates(env: Environment): NonNullable<KafkaConfig["tls"]> {
  const path = readVariable(env, "KAFKA_TLS_CA_FILE");
  if (path === undefined) return {};
  try {
    return { ca: readFileSync(path, "utf8") };
  } catch (cause) {
    throw new Complaint(`Cannot start: KAFKA_TLS_CA_FILE "${path}" cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

export function readEdge(env: Environment, neededBy: string): EdgeConfig {
  const url = readVariable(env, "UPSTASH_REDIS_REST_URL");
  return {
    redis: url === undefined ? undefined : { url, token: requireVariable(env, "UPSTASH_REDIS_REST_TOKEN", { neededBy }) },
    clientAddressHeader: readVariable(env, "RIDEGRID_CLIENT_ADDRESS_HEADER"),
    capacity: readVariable(env, "RIDEGRID_CAPACITY"),
  };
}

/** The services a target calls; where one is not in the same process its address and the mesh token are needed. */
function peersOf({ app }: AppTarget): readonly ServiceName[] {
  if (app === "gateway") return ["coordinator", "matching", "ingest", "state"];
  return app === "assignment-coordinator" ? ["matching"] : ["coordinator"];
}

function isHere(service: ServiceName, targets: readonly AppTarget[]): boolean {
  return targets.some((target) => serviceOfApp[target.app] === service);
}

const peerVariables = {
  coordinator: "RIDEGRID_PEER_COORDINATOR",
  matching: "RIDEGRID_PEER_MATCHING",
  ingest: "RIDEGRID_PEER_INGEST",
  state: "RIDEGRID_PEER_STATE",
} as const satisfies Record<ServiceName, VariableName>;

/** `RIDEGRID_PEER_COORDINATOR`, `RIDEGRID_PEER_MATCHING_EWR`. */
export function peerVariable(service: ServiceName, region: string | null): string {
  return `${peerVariables[service]}${region === null ? "" : `_${region.toUpperCase()}`}`;
}

function peerUrl(env: Environment, service: ServiceName, region: string | null): string | undefined {
  return readVariable(env, peerVariables[service], region === null ? {} : { region });
}

function identity(env: Environment, neededBy: string): IdentityConfig {
  const issuerJwk = readVariable(env, "RIDEGRID_DEV_ISSUER_JWK");
  if (issuerJwk === undefined || readVariable(env, "RIDEGRID_JWKS_URL") !== undefined) {
    const required = (name: "RIDEGRID_JWKS_URL" | "RIDEGRID_JWT_ISSUER" | "RIDEGRID_JWT_AUDIENCE"): string => requireVariable(env, name, { neededBy });
    return { kind: "jwks", url: required("RIDEGRID_JWKS_URL"), issuer: required("RIDEGRID_JWT_ISSUER"), audience: required("RIDEGRID_JWT_AUDIENCE") };
  }
  if (readVariable(env, "NODE_ENV") === "production")
    throw new Complaint("Cannot start: RIDEGRID_DEV_ISSUER_JWK is never used in production; set RIDEGRID_JWKS_URL");
  return { kind: "development", issuerJwk: { ...issuerJwk } };
}
