/**
 * Reads the flags of `dev`, `sim`, `start`, and of the commands that take none. An unknown flag or a value of the wrong type is a `Complaint` that names it.
 *
 * `sim` knows only what decides where its mesh comes from; the rest is the simulator's, passed on as it was written.
 */
import { parseArgs, type ParseArgsConfig } from "node:util";
import { type AppName, appNames, isAppName } from "./app-target.ts";
import { Complaint } from "./complaint.ts";
import { cityDriversDefault, citySeedDefault } from "./limits.ts";

export type DevOptions = {
  readonly dataDirectory: string;
  readonly reset: boolean;
  /** Added to every port; undefined means the usual ports, or the next free ones. */
  readonly portBase: number | undefined;
  readonly city: boolean;
  readonly processes: boolean;
  readonly kafka: boolean;
  readonly drivers: number;
  readonly seed: number;
  readonly watch: boolean;
  readonly doctor: boolean;
  readonly json: boolean;
};

export function parseDev(args: readonly string[]): DevOptions {
  const { values, positionals } = parse("dev", args, {
    data: { type: "string" },
    reset: { type: "boolean" },
    "port-base": { type: "string" },
    "no-city": { type: "boolean" },
    processes: { type: "boolean" },
    kafka: { type: "boolean" },
    drivers: { type: "string" },
    seed: { type: "string" },
    watch: { type: "boolean" },
    doctor: { type: "boolean" },
    json: { type: "boolean" },
  });
  if (positionals[0] !== undefined) throw new Complaint(`Cannot run "dev": unexpected argument "${positionals[0]}"`);
  const portBase = integer("dev", "--port-base", values["port-base"], { min: 0, max: 50_000 });
  return {
    dataDirectory: text("dev", "--data", values["data"]) ?? ".ridegrid",
    reset: values["reset"] === true,
    portBase,
    city: values["no-city"] !== true,
    processes: values["processes"] === true,
    kafka: values["kafka"] === true,
    drivers: integer("dev", "--drivers", values["drivers"], { min: 1, max: 100_000 }) ?? cityDriversDefault,
    seed: integer("dev", "--seed", values["seed"], { min: 0, max: 0xffff_ffff }) ?? citySeedDefault,
    watch: values["watch"] === true,
    doctor: values["doctor"] === true,
    json: values["json"] === true,
  };
}

/** `regions` is usually one; several make one process serve several regions, each app once in each. */
export type StartOptions = { readonly apps: readonly AppName[]; readonly regions: readonly string[] };

/** `regionDefault`: of an app that lives in a region where no `--region` is given. */
export function parseStart(args: readonly string[], regionDefault?: string): StartOptions {
  const { values, positionals } = parse("start", args, { region: { type: "string", multiple: true } });
  if (positionals.length === 0) throw new Complaint(`Cannot run "start": name at least one app of ${appNames.join(", ")}`);
  const apps = positionals.map((name) => {
    if (!isAppName(name)) throw new Complaint(`Cannot run "start": unknown app "${name}"; there are ${appNames.join(", ")}`);
    return name;
  });
  const given = Array.isArray(values["region"]) ? values["region"] : [];
  const regions = given.map((region: unknown) => text("start", "--region", region) ?? "");
  const regional = apps.find((app) => app !== "assignment-coordinator");
  if (regional !== undefined && regions.length === 0) {
    if (regionDefault === undefined) throw new Complaint(`Cannot run "start": "${regional}" needs --region`);
    regions.push(regionDefault);
  }
  return { apps: [...new Set(apps)], regions: [...new Set(regions)] };
}

/** A command that is configured by the environment alone. */
export function parseNothing(command: string, args: readonly string[]): void {
  const { positionals } = parse(command, args, {});
  if (positionals[0] !== undefined) throw new Complaint(`Cannot run "${command}": unexpected argument "${positionals[0]}"`);
}

export type SimOptions = { readonly url: string | undefined; readonly kafka: boolean; readonly json: boolean; readonly help: boolean };

/** Every flag but `--kafka` goes on to the simulator; here it is looked at where its mesh comes from. */
export function parseSim(args: readonly string[]): SimOptions {
  const { values } = parseArgs({
    args: [...args],
    strict: false,
    allowPositionals: true,
    options: { url: { type: "string" }, kafka: { type: "boolean" }, json: { type: "boolean" }, help: { type: "boolean" } },
  });
  if (values.url === true) throw new Complaint('Cannot run "sim": --url needs a value');
  if (values.url !== undefined && values.kafka === true) throw new Complaint('Cannot run "sim": --kafka is for a mesh of its own, and --url names another');
  return { url: typeof values.url === "string" ? values.url : undefined, kafka: values.kafka === true, json: values.json === true, help: values.help === true };
}

type Parsed = { readonly values: Readonly<Record<string, unknown>>; readonly positionals: readonly string[] };

function parse(command: string, args: readonly string[], options: NonNullable<ParseArgsConfig["options"]>): Parsed {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: true });
  } catch (error) {
    // Node's further sentences explain how to pass what looks like a flag; nobody here wants that.
    const reason = error instanceof Error ? (error.message.split(/\.\s/)[0] ?? error.message) : String(error);
    throw new Complaint(`Cannot run "${command}": ${reason.replaceAll("'", '"')}`, { cause: error });
  }
}

function text(command: string, flag: string, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "string" || value === "") throw new Complaint(`Cannot run "${command}": ${flag} needs a value`);
  return value;
}

function integer(command: string, flag: string, value: unknown, { min, max }: { readonly min: number; readonly max: number }): number | undefined {
  const given = text(command, flag, value);
  if (given === undefined) return undefined;
  const number = Number(given);
  if (!/^\d+$/.test(given) || number < min || number > max)
    throw new Complaint(`Cannot run "${command}": ${flag} must be a whole number from ${min} to ${max}, not "${given}"`);
  return number;
}
