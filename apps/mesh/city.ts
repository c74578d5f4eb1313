/** A gentle simulated city on the mesh: the simulator, as a process of its own that knows only the public API. */
import { join } from "node:path";
import type { Environment, Logger } from "@ridegrid/runtime";
import { cityStopTimeoutMs } from "./limits.ts";
import { superviseProcess } from "./supervised-process.ts";

export type CityOptions = { readonly drivers: number; readonly seed: number };

export type CityDeps = {
  readonly url: string;
  readonly environment: Environment;
  readonly logger: Logger;
  readonly write: (line: string) => void;
  readonly onStart: () => void;
};

export interface City {
  pid(): number | undefined;
  stop(): Promise<void>;
}

export const simulatorScript = join(import.meta.dir, "../simulator/main.ts");

export function startCity({ drivers, seed }: CityOptions, { url, environment, logger, write, onStart }: CityDeps): City {
  return superviseProcess({
    name: "simulator",
    script: [simulatorScript, "--endless", "--url", url, "--drivers", String(drivers), "--seed", String(seed)],
    env: environment,
    stopTimeoutMs: cityStopTimeoutMs,
    logger,
    write,
    onStart,
  });
}
