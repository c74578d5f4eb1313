/**
 * `bun run bench -- [--only NAME]… [--quick] [--json] [--out FILE]`: every figure of the tree's `*.bench.ts`, each beside
 * its peer, as a table for people or as JSON with all samples (`--out` writes the JSON beside the table). Says what machine
 * it ran on. A figure that misses its goal, fails or takes too long is shown, not hidden; the exit code is 1 then.
 */
import { writeFileSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Figure, type FigureResult, figureTable, type Machine, type Measurement, meetsGoal } from "@ridegrid/testing";
import { figureCleanUpMs, figureTimeoutMs } from "./limits.ts";

const root = dirname(dirname(import.meta.dir));
const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    out: { type: "string" },
  },
});
const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => stop.abort(new Error(`stopped by ${name}`)));

const asked = choose(await readFigures());
const machine: Machine = {
  cpu: cpus()[0]?.model ?? "unknown",
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  bun: Bun.version,
  loadBefore: loadavg(),
};
const results: FigureResult[] = [];
for (const figure of asked) if (!stop.signal.aborted) results.push(await measure(figure));
const json = `${JSON.stringify({ machine, quick: values.quick, results }, null, 1)}\n`;
if (values.out !== undefined) writeFileSync(values.out, json);
await new Promise<void>((resolve) => void process.stdout.write(values.json ? json : figureTable({ machine, results }), () => resolve()));
const good = results.every(({ measurements, failure }) => failure === undefined && measurements.every((each) => meetsGoal(each) !== false));
process.exit(stop.signal.aborted ? 130 : good ? 0 : 1);

async function readFigures(): Promise<readonly Figure[]> {
  const paths = [...new Bun.Glob("{apps,packages}/*/*.bench.ts").scanSync({ cwd: root })].toSorted();
  const modules: readonly { readonly figures: readonly Figure[] }[] = await Promise.all(paths.map((path) => import(join(root, path))));
  return modules.flatMap(({ figures }) => figures);
}

function choose(all: readonly Figure[]): readonly Figure[] {
  const names = all.map(({ name }) => name);
  const unknown = values.only?.filter((name) => !names.includes(name)) ?? [];
  if (unknown.length === 0) return all.filter(({ name }) => values.only?.includes(name) ?? true);
  process.stderr.write(`Cannot measure ${unknown.join(", ")}: the figures are ${names.join(", ")}\n`);
  process.exit(2);
}

/** Bounded in time: what does not end is told to, and given up when it does not clean up either. */
async function measure({ name, doc, run }: Figure): Promise<FigureResult> {
  process.stderr.write(`Measuring ${name} …\n`);
  const startMs = performance.now();
  const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(figureTimeoutMs)]);
  const givenUp = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => void sleep(figureCleanUpMs).then(() => givenUp.reject(signal.reason)), { once: true });
  let measurements: readonly Measurement[] = [];
  let failure: string | undefined;
  try {
    measurements = await Promise.race([run({ quick: values.quick, signal }), givenUp.promise]);
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${name} failed: ${error instanceof Error ? (error.stack ?? failure) : failure}\n`);
  }
  const seconds = (performance.now() - startMs) / 1_000;
  return { name, doc, seconds, measurements, ...(failure === undefined ? {} : { failure }) };
}
