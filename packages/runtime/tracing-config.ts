/** Whether and where this process sends its traces, by the names of the OpenTelemetry specification. */
import { ConfigError, type Environment, readVariable, requireVariable, type ValueOf } from "./config.ts";

export type SamplerName = ValueOf<"OTEL_TRACES_SAMPLER">;

export type TracingConfig = {
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly sampler: SamplerName;
  readonly samplerRatio: number;
};

/** Undefined without an endpoint: tracing is off. */
export function readTracingConfig(env: Environment): TracingConfig | undefined {
  const endpoint = readVariable(env, "OTEL_EXPORTER_OTLP_ENDPOINT");
  if (endpoint === undefined) return undefined;
  return {
    endpoint,
    headers: headersFrom(readVariable(env, "OTEL_EXPORTER_OTLP_HEADERS") ?? ""),
    sampler: requireVariable(env, "OTEL_TRACES_SAMPLER"),
    samplerRatio: ratioFrom(requireVariable(env, "OTEL_TRACES_SAMPLER_ARG")),
  };
}

/** `name=value,name=value`, values percent-encoded. Never quoted in an error: they hold credentials. */
function headersFrom(text: string): Readonly<Record<string, string>> {
  const pairs = text.split(",").filter((pair) => pair.trim() !== "");
  return Object.fromEntries(
    pairs.map((pair) => {
      const [name = "", ...rest] = pair.split("=");
      if (name.trim() === "" || rest.length === 0)
        throw new ConfigError("Cannot start: the environment variable OTEL_EXPORTER_OTLP_HEADERS must be name=value pairs");
      return [name.trim(), decoded(rest.join("=").trim())];
    }),
  );
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

function ratioFrom(text: string): number {
  const ratio = Number(text);
  if (ratio >= 0 && ratio <= 1) return ratio;
  throw new ConfigError(`Cannot start: the environment variable OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1, not "${text}"`);
}
