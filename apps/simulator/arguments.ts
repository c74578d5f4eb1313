/** The simulator's flags, checked. Whatever is wrong is a `Complaint` that names the flag and the value. */
import { parseArgs } from "node:util";
import { Complaint } from "./complaint.ts";
import { driversMax, ridesMax, speedupMax } from "./limits.ts";

export type Arguments = {
  /** Addresses of gateways, or the path of a mesh.json; at least one. */
  readonly urls: readonly string[];
  /** Null in an endless city. */
  readonly rides: number | null;
  readonly drivers: number;
  readonly market: string;
  readonly tripsPath: string | null;
  readonly speedup: number;
  readonly seed: number;
  readonly json: boolean;
  readonly help: boolean;
};

export const usage = `bun run sim -- [flags]

  --url URL       a gateway, or the path of a mesh.json; may be given again
  --rides N       how many rides are requested (200)
  --endless       riders come until Ctrl-C, at a gentle pace
  --drivers N     how many drivers are on shift (100)
  --market ID     the market (nyc)
  --trips FILE    trips as CSV; without it demand is generated from the seed
  --speedup S     the city's clock against the wall's (10)
  --seed N        one seed is one city (1)
  --json          print one JSON object on standard output
`;

export function parseArguments(args: readonly string[]): Arguments {
  const { values, positionals } = parse(args);
  const [stray] = positionals;
  if (stray !== undefined) throw new Complaint(`Cannot run the simulator: unexpected argument "${stray}"`);
  if (values.endless === true && values.rides !== undefined) throw new Complaint("Cannot run the simulator: --endless and --rides exclude each other");
  return {
    urls: values.url ?? [],
    rides: values.endless === true ? null : wholeNumber("--rides", values.rides, { min: 1, max: ridesMax, otherwise: 200 }),
    drivers: wholeNumber("--drivers", values.drivers, { min: 1, max: driversMax, otherwise: 100 }),
    market: values.market ?? "nyc",
    tripsPath: values.trips ?? null,
    speedup: speed(values.speedup ?? "10"),
    seed: wholeNumber("--seed", values.seed, { min: 0, max: 0xffff_ffff, otherwise: 1 }),
    json: values.json === true,
    help: values.help === true,
  };
}

type Values = {
  readonly url?: string[] | undefined;
  readonly rides?: string | undefined;
  readonly endless?: boolean | undefined;
  readonly drivers?: string | undefined;
  readonly market?: string | undefined;
  readonly trips?: string | undefined;
  readonly speedup?: string | undefined;
  readonly seed?: string | undefined;
  readonly json?: boolean | undefined;
  readonly help?: boolean | undefined;
};

function parse(args: readonly string[]): { readonly values: Values; readonly positionals: readonly string[] } {
  const text = { type: "string" } as const;
  const yes = { type: "boolean" } as const;
  const options = {
    url: { type: "string", multiple: true },
    rides: text,
    endless: yes,
    drivers: text,
    market: text,
    trips: text,
    speedup: text,
    seed: text,
    json: yes,
    help: yes,
  } as const;
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: true });
  } catch (cause) {
    // Node's further sentences explain how to pass positionals that look like flags; nobody here wants that.
    const reason = cause instanceof Error ? (cause.message.split(/\.\s/)[0] ?? cause.message) : String(cause);
    throw new Complaint(`Cannot run the simulator: ${reason.replaceAll("'", '"')}`, { cause });
  }
}

function wholeNumber(
  flag: string,
  given: string | undefined,
  { min, max, otherwise }: { readonly min: number; readonly max: number; readonly otherwise: number },
): number {
  if (given === undefined) return otherwise;
  const value = Number(given);
  if (!/^\d+$/.test(given) || value < min || value > max)
    throw new Complaint(`Cannot run the simulator: ${flag} must be a whole number from ${min} to ${max}, not "${given}"`);
  return value;
}

function speed(given: string): number {
  const value = Number(given);
  if (!/^\d+(\.\d+)?$/.test(given) || value <= 0 || value > speedupMax)
    throw new Complaint(`Cannot run the simulator: --speedup must be a number above 0 and at most ${speedupMax}, not "${given}"`);
  return value;
}
