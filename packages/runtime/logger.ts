/**
 * Where a process's words go: JSON lines in production, readable `[app] message` lines in development.
 *
 * Always standard error: standard output belongs to what a command was asked for (`--json`, the banner). An app's
 * child logger carries its name as `app`: `logger.child({ app: "gateway.ewr" })`.
 */
import { context, createContextKey, trace } from "@opentelemetry/api";
import pino, { type Logger as PinoLogger } from "pino";
import { errorFields } from "./log-error.ts";

export type Logger = PinoLogger;

export type LoggerOptions = {
  readonly format: "json" | "readable";
  readonly level: "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";
  /** Where lines go; standard error when left out. */
  readonly write?: (line: string) => void;
};

export function createLogger(options: LoggerOptions): Logger {
  const write = options.write ?? ((line: string) => void process.stderr.write(line));
  const stream = options.format === "json" ? { write } : { write: (line: string) => write(readableLine(line)) };
  // The host and pid of every line are noise on a laptop and known to the collector elsewhere.
  const serializers = { error: errorFields, err: errorFields };
  return pino({ level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime, serializers, mixin: traceFields, redact }, stream);
}

/** A second fence: nobody means to log these, and one who does by mistake logs a mark. */
const secretFields = ["token", "authorization", "pin", "plate", "location", "pickup", "dropoff", "latitude", "longitude"];
const redact = { paths: secretFields.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: "[redacted]" };

/** The ride that a call or a message is about, in the active context: `packages/rpc` puts it there under the same name. */
const rideIdKey = createContextKey("ridegrid.ride_id");

/** While tracing is on: which trace a line belongs to, and which ride where it is known. */
function traceFields(): Record<string, string> {
  const span = trace.getActiveSpan();
  if (span === undefined) return {};
  const rideId = context.active().getValue(rideIdKey);
  return { trace_id: span.spanContext().traceId, span_id: span.spanContext().spanId, ...(typeof rideId === "string" ? { ride_id: rideId } : {}) };
}

const levelNames: Readonly<Record<number, string>> = { 10: "trace ", 20: "debug ", 30: "", 40: "warn ", 50: "error ", 60: "fatal " };

/** `[app] warn message key=value`; an error's stack follows on lines of its own. */
export function readableLine(json: string): string {
  const { app, level, time: _time, msg, err, error, ...rest }: Record<string, unknown> = JSON.parse(json);
  const fields = Object.entries(rest).map(([key, value]) => ` ${key}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  const head = `[${typeof app === "string" ? app : "ridegrid"}] ${levelNames[Number(level)] ?? ""}${typeof msg === "string" ? msg : ""}`;
  return `${head}${fields.join("")}${stackOf(err ?? error)}\n`;
}

function stackOf(error: unknown): string {
  if (error === undefined || error === null) return "";
  if (typeof error !== "object") return ` error=${String(error)}`;
  const text = "stack" in error ? error.stack : "message" in error ? error.message : JSON.stringify(error);
  return `\n${String(text)}`;
}
