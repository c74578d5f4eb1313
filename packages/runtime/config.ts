/**
 * The one list of environment variables that RideGrid reads, with their types, defaults and meaning, and how they are
 * read: a typed value, or one line that names the variable and what is wrong with it.
 *
 * The configuration reference in `docs/` is generated from this list. A value that may be a secret is never quoted.
 */

export type VariableType = "postgres-url" | "http-url" | "redis-url" | "port" | "count" | "secret" | "json" | "text" | "list" | readonly string[];

export type Variable = {
  readonly type: VariableType;
  readonly doc: string;
  /** As it would be written in the environment; what is used when the variable is not set. */
  readonly default?: string;
  /** A name with a region's suffix (`…_EWR`) wins over the plain one for that region. */
  readonly perRegion?: true;
};

export const variables = {
  DATABASE_URL: { type: "postgres-url", doc: "The platform database. Its user owns it, or is a member of the roles coordinator, matching and state." },
  RIDEGRID_LOG_DATABASE_URL: {
    type: "postgres-url",
    perRegion: true,
    doc: "The database of a region's embedded event log. When not set: database `ridegrid_log_<region>` on the server of `DATABASE_URL`.",
  },
  KAFKA_BROKERS: {
    type: "list",
    perRegion: true,
    doc: 'Brokers of a region\'s event log, "host:port" and a comma between them. The embedded log in Postgres when not set.',
  },
  KAFKA_REPLICAS: { type: "count", default: "3", doc: "Replicas of topics that are made at start. Needs no value where the topics exist." },
  KAFKA_TLS: { type: ["off", "on"], default: "off", doc: "Whether brokers are spoken to over TLS." },
  KAFKA_TLS_CA_FILE: {
    type: "text",
    doc: "Certificates in PEM that brokers' certificates are checked against, in place of the system's. Needs `KAFKA_TLS`.",
  },
  KAFKA_SASL_MECHANISM: { type: ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], doc: "How this process proves itself to brokers. Not at all when not set." },
  KAFKA_SASL_USERNAME: { type: "text", doc: "Needed with `KAFKA_SASL_MECHANISM`." },
  KAFKA_SASL_PASSWORD: { type: "secret", doc: "Needed with `KAFKA_SASL_MECHANISM`." },
  RIDEGRID_REGIONS_FILE: { type: "text", default: "deploy/regions.json", doc: "The regions and their markets, as JSON." },
  RIDEGRID_JWKS_URL: { type: "http-url", doc: "Where the issuer publishes its keys. Gateways need it." },
  RIDEGRID_JWT_ISSUER: { type: "text", doc: "The `iss` that a token must carry. Needed with `RIDEGRID_JWKS_URL`." },
  RIDEGRID_JWT_AUDIENCE: { type: "text", doc: "The `aud` that a token must carry. Needed with `RIDEGRID_JWKS_URL`." },
  RIDEGRID_DEV_ISSUER_JWK: { type: "json", doc: "The development issuer's private key, as the mesh hands it to gateways. Never in production." },
  UPSTASH_REDIS_REST_URL: {
    type: "http-url",
    doc: "The Redis in which gateways share their callers' rates and read models keep what is asked for often. In process when not set.",
  },
  UPSTASH_REDIS_REST_TOKEN: { type: "secret", doc: "The token of that Redis. Needed with `UPSTASH_REDIS_REST_URL`, and by `redis-bridge`." },
  REDIS_URL: { type: "redis-url", doc: "The plain Redis behind `redis-bridge`, which speaks Upstash's protocol on `RIDEGRID_INTERNAL_PORT`." },
  RIDEGRID_CLIENT_ADDRESS_HEADER: {
    type: "text",
    doc: "The header in which the proxy in front of gateways names a client's address, such as `Fly-Client-IP`. The connection's own address when not set.",
  },
  RIDEGRID_CAPACITY: {
    type: "count",
    doc: "Requests a second that each gateway and each coordinator takes; what is over it is refused at once. Positions, streams and operators are not counted. No bound when not set.",
  },
  RIDEGRID_PIN_SECRET: { type: "secret", doc: "What riders' PINs are derived from. Coordinator and gateways share it." },
  RIDEGRID_MESH_TOKEN: { type: "secret", doc: "The proof by which a service believes another's word on who is calling, until mutual TLS takes its place." },
  RIDEGRID_HOST: { type: "text", default: "127.0.0.1", doc: "The address that gateways, internal services and metrics listen on." },
  RIDEGRID_GATEWAY_PORT: { type: "port", default: "8001", perRegion: true, doc: "A gateway's port for Connect, gRPC-Web and JSON." },
  RIDEGRID_GRPC_PORT: { type: "port", default: "8002", perRegion: true, doc: "A gateway's port for native gRPC." },
  RIDEGRID_INTERNAL_PORT: { type: "port", doc: "The port on which this process serves the other services (h2c). A free one when not set." },
  RIDEGRID_METRICS_PORT: {
    type: "port",
    doc: "The port of `/metrics`, `/livez` and `/readyz`. A free one when not set; a process with a gateway then has them on its public port, which otherwise shows no metrics.",
  },
  RIDEGRID_PEER_COORDINATOR: { type: "http-url", doc: "The coordinator's internal address." },
  RIDEGRID_PEER_MATCHING: { type: "http-url", perRegion: true, doc: "A region's matching worker." },
  RIDEGRID_PEER_INGEST: { type: "http-url", perRegion: true, doc: "A region's telemetry ingest." },
  RIDEGRID_PEER_STATE: { type: "http-url", perRegion: true, doc: "A region's state query." },
  FLY_REGION: { type: "text", doc: "Set by Fly.io: the region of apps that are started without `--region`." },
  RIDEGRID_LOG_LEVEL: {
    type: ["trace", "debug", "info", "warn", "error", "fatal", "silent"],
    default: "info",
    doc: "The least important line that is written.",
  },
  RIDEGRID_LOG_FORMAT: { type: ["json", "readable"], default: "json", doc: "`json` for collectors, `readable` for people. `bun run dev` uses `readable`." },
  OTEL_EXPORTER_OTLP_ENDPOINT: { type: "http-url", doc: "The OpenTelemetry collector that traces go to, as protobuf over HTTP. Tracing is off when not set." },
  OTEL_EXPORTER_OTLP_HEADERS: { type: "secret", doc: "Headers sent to the collector: `name=value,name=value`, percent-encoded." },
  OTEL_TRACES_SAMPLER: {
    type: ["always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"],
    default: "parentbased_always_on",
    doc: "Which traces are kept. `parentbased_…` keeps what the caller keeps.",
  },
  OTEL_TRACES_SAMPLER_ARG: { type: "text", default: "1", doc: "The share of traces that a `traceidratio` sampler keeps, 0 to 1." },
  RIDEGRID_TOKEN: { type: "secret", doc: "The operator's or viewer's token of the `ops` command line, where `--token` is not given." },
  NODE_ENV: { type: "text", doc: "`production` turns the development conveniences off: no `/dev/token`, no reflection." },
} as const satisfies Record<string, Variable>;

export type VariableName = keyof typeof variables;
export type Environment = Readonly<Record<string, string | undefined>>;

type TypeOf<Name extends VariableName> = (typeof variables)[Name]["type"];
export type ValueOf<Name extends VariableName> =
  TypeOf<Name> extends readonly (infer Choice)[]
    ? Choice
    : TypeOf<Name> extends "port" | "count"
      ? number
      : TypeOf<Name> extends "json"
        ? object
        : TypeOf<Name> extends "list"
          ? readonly string[]
          : string;

/** Told in one line, without a stack; the program ends with exit code 1. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

export type ReadOptions = {
  readonly region?: string;
  /** Who cannot start without it: `"gateway.ewr"`. */
  readonly neededBy?: string;
};

/** The variable's value or its default; undefined when there is neither. An empty value counts as not set. */
export function readVariable<Name extends VariableName>(env: Environment, name: Name, options: ReadOptions = {}): ValueOf<Name> | undefined {
  const variable: Variable = variables[name];
  const found = lookUp(env, name, variable.perRegion === true ? options.region : undefined);
  const text = found?.value ?? variable.default;
  if (text === undefined) return undefined;
  return parse(found?.name ?? name, variable.type, text) as ValueOf<Name>;
}

/** As `readVariable`, and a variable that is not set is a `ConfigError`. */
export function requireVariable<Name extends VariableName>(env: Environment, name: Name, options: ReadOptions = {}): ValueOf<Name> {
  const value = readVariable(env, name, options);
  if (value !== undefined) return value;
  throw new ConfigError(`Cannot start${options.neededBy === undefined ? "" : ` ${options.neededBy}`}: the environment variable ${name} is missing`);
}

/** The values of several variables that must all be there. */
export function readConfig<const Names extends readonly VariableName[]>(
  env: Environment,
  names: Names,
  options: ReadOptions = {},
): { readonly [Name in Names[number]]: ValueOf<Name> } {
  return Object.fromEntries(names.map((name) => [name, requireVariable(env, name, options)])) as { readonly [Name in Names[number]]: ValueOf<Name> };
}

function lookUp(env: Environment, name: string, region: string | undefined): { readonly name: string; readonly value: string } | undefined {
  const candidates = region === undefined ? [name] : [`${name}_${region.toUpperCase()}`, name];
  for (const candidate of candidates) {
    const value = env[candidate];
    if (value !== undefined && value !== "") return { name: candidate, value };
  }
  return undefined;
}

function parse(name: string, type: VariableType, text: string): unknown {
  if (typeof type !== "string") return choice(name, type, text);
  switch (type) {
    case "postgres-url":
      // Not quoted: it may hold a password.
      return /^postgres(ql)?:\/\//.test(text) && URL.canParse(text) ? text : wrong(name, "a postgres:// URL");
    case "http-url":
      return /^https?:\/\//.test(text) && URL.canParse(text) ? text : wrong(name, "an http(s):// URL", text);
    case "redis-url":
      return /^rediss?:\/\//.test(text) && URL.canParse(text) ? text : wrong(name, "a redis:// URL");
    case "port":
      return /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : wrong(name, "a port number", text);
    case "count":
      return /^[1-9]\d{0,8}$/.test(text) ? Number(text) : wrong(name, "a whole number above 0", text);
    case "json":
      return jsonObject(name, text);
    case "list":
      return text.split(",").map((part) => part.trim());
    case "secret":
    case "text":
      return text;
  }
}

function choice(name: string, among: readonly string[], text: string): string {
  return among.includes(text) ? text : wrong(name, `one of ${among.join(", ")}`, text);
}

function jsonObject(name: string, text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // Told below: the parser's own message would quote a secret.
  }
  return wrong(name, "a JSON object");
}

function wrong(name: string, expected: string, given?: string): never {
  throw new ConfigError(`Cannot start: the environment variable ${name} must be ${expected}${given === undefined ? "" : `, not "${given}"`}`);
}
