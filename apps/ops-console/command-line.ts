/** Reads `ops`'s arguments. What is wrong with them is one `UsageError` that names the argument. */
import { parseArgs } from "node:util";

export type CommandLine = { readonly command: string; readonly operands: readonly string[]; readonly flags: Flags };

export type Flags = {
  readonly url: string;
  readonly token: string | undefined;
  readonly json: boolean;
  readonly open: boolean;
  readonly market: string | undefined;
  readonly region: string | undefined;
  readonly rider: string | undefined;
  readonly driver: string | undefined;
  readonly reason: string | undefined;
  readonly near: { readonly latitude: number; readonly longitude: number } | undefined;
  /** In metres. */
  readonly radius: number | undefined;
  readonly limit: number;
};

export class UsageError extends Error {
  override readonly name = "UsageError";
}

const options = {
  url: { type: "string", default: "http://localhost:8001" },
  token: { type: "string" },
  json: { type: "boolean", default: false },
  open: { type: "boolean", default: false },
  market: { type: "string" },
  region: { type: "string" },
  rider: { type: "string" },
  driver: { type: "string" },
  reason: { type: "string" },
  near: { type: "string" },
  radius: { type: "string" },
  limit: { type: "string", default: "20" },
} as const;

export function readCommandLine(args: readonly string[]): CommandLine {
  const { values, positionals } = parse(args);
  const [command, ...operands] = positionals;
  if (command === undefined) throw new UsageError("Name a command");
  const limit = Number(values.limit);
  if (!Number.isInteger(limit) || limit < 1 || limit > 10_000) throw new UsageError(`--limit takes a whole number from 1 to 10000, not "${values.limit}"`);
  if (!URL.canParse(values.url)) throw new UsageError(`--url takes a URL, not "${values.url}"`);
  const { token, market, region, rider, driver, reason } = values;
  const place = { near: readNear(values.near), radius: readRadius(values.radius) };
  return { command, operands, flags: { url: values.url, token, json: values.json, open: values.open, market, region, rider, driver, reason, limit, ...place } };
}

function readNear(text: string | undefined): Flags["near"] {
  if (text === undefined) return undefined;
  const [latitude, longitude, ...more] = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  if (latitude === undefined || longitude === undefined || more.length > 0 || !(Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180)) {
    throw new UsageError(`--near takes LATITUDE,LONGITUDE in degrees, not "${text}"`);
  }
  return { latitude, longitude };
}

function readRadius(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const radius = Number(text);
  if (!(radius > 0 && radius <= 50_000)) throw new UsageError(`--radius takes metres, more than 0 and at most 50000, not "${text}"`);
  return radius;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message.replaceAll("\n", " ") : String(cause), { cause });
  }
}
