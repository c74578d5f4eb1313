/**
 * `bun run bench [-- --only NAME] [--json]`: every figure of the tree's `*.bench.ts`, each beside its peer, as a table for
 * people or as JSON with all samples. Says what machine it ran on. A figure that misses its goal is shown, not hidden; the
 * exit code is 1 then.
 */
import { cpus, loadavg, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { type Figure, type Measurement, median } from "@ridegrid/testing";

const root = dirname(dirname(import.meta.dir));
const { values } = parseArgs({ options: { only: { type: "string", multiple: true }, json: { type: "boolean", default: false } } });

const all = await readFigures();
const asked = values.only === undefined ? all : all.filter(({ name }) => values.only?.includes(name));
if (asked.length === 0) {
  process.stderr.write(`Cannot measure ${values.only?.join(", ") ?? "anything"}: the figures are ${all.map(({ name }) => name).join(", ")}\n`);
  process.exit(2);
}

const machine = {
  cpu: cpus()[0]?.model ?? "unknown",
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  bun: Bun.version,
  loadBefore: loadavg(),
};
const results: { readonly name: string; readonly doc: string; readonly measurements: readonly Measurement[] }[] = [];
for (const { name, doc, run } of asked) {
  process.stderr.write(`Measuring ${name} …\n`);
  results.push({ name, doc, measurements: await run() });
}
process.stdout.write(values.json ? `${JSON.stringify({ machine, results }, null, 2)}\n` : asTable());
process.exit(results.every(({ measurements }) => measurements.every((each) => meetsGoal(each) !== false)) ? 0 : 1);

async function readFigures(): Promise<readonly Figure[]> {
  const paths = [...new Bun.Glob("{apps,packages}/*/*.bench.ts").scanSync({ cwd: root })].toSorted();
  const modules: readonly { readonly figures: readonly Figure[] }[] = await Promise.all(paths.map((path) => import(join(root, path))));
  return modules.flatMap(({ figures }) => figures);
}

function asTable(): string {
  const { cpu, cores, memoryGiB, bun, loadBefore } = machine;
  const lines = [`${cores} cores of ${cpu}, ${memoryGiB} GiB, Bun ${bun}, load ${loadBefore.map((load) => load.toFixed(1)).join(" ")} before`];
  for (const { name, doc, measurements } of results) {
    lines.push("", `${name}: ${doc}`, "", "| what | median | unit | peer | its median | ratio | goal |", "|---|---|---|---|---|---|---|");
    lines.push(...measurements.map(row));
  }
  return `${lines.join("\n")}\n`;
}

function row(measurement: Measurement): string {
  const { what, unit, samples, peer, goal } = measurement;
  const goalText = goal === undefined ? "" : "atLeast" in goal ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`;
  const verdict = meetsGoal(measurement) === false ? `${goalText}: missed` : goalText;
  const ratio = peer === undefined ? "" : ratioOf(measurement).toFixed(2);
  const cells = [what, shown(median(samples)), unit, peer?.what ?? "", peer === undefined ? "" : shown(median(peer.samples)), ratio, verdict];
  return `| ${cells.join(" | ")} |`;
}

/** To the peer, or the median itself without one. */
function ratioOf({ samples, peer }: Measurement): number {
  return peer === undefined ? median(samples) : median(samples) / median(peer.samples);
}

function meetsGoal(measurement: Measurement): boolean | undefined {
  const { goal } = measurement;
  if (goal === undefined) return undefined;
  return "atLeast" in goal ? ratioOf(measurement) >= goal.atLeast : ratioOf(measurement) <= goal.atMost;
}

function shown(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3);
}
