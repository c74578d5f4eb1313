/** What `bun run bench` measured, as a table for people. */
import { type Measurement, statisticOf } from "./figure.ts";

export type Machine = {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly bun: string;
  readonly loadBefore: readonly number[];
};

/** `failure`: why there are no measurements, or not all. */
export type FigureResult = {
  readonly name: string;
  readonly doc: string;
  readonly seconds: number;
  readonly measurements: readonly Measurement[];
  readonly failure?: string;
};

export function figureTable({ machine, results }: { readonly machine: Machine; readonly results: readonly FigureResult[] }): string {
  const { cpu, cores, memoryGiB, bun, loadBefore } = machine;
  const lines = [`${cores} cores of ${cpu}, ${memoryGiB} GiB, Bun ${bun}, load ${loadBefore.map((load) => load.toFixed(1)).join(" ")} before`];
  for (const { name, doc, seconds, measurements, failure } of results) {
    lines.push("", `${name} (${seconds.toFixed(0)} s): ${doc}`, "");
    if (failure !== undefined) lines.push(`FAILED: ${failure}`, "");
    if (measurements.length === 0) continue;
    lines.push("| what | value | unit | peer | its value | ratio | goal |", "|---|---|---|---|---|---|---|", ...measurements.map(row));
    const notes = measurements.flatMap(({ what, note }) => (note === undefined ? [] : [`- ${what}: ${note}`]));
    if (notes.length > 0) lines.push("", ...notes);
  }
  return `${lines.join("\n")}\n`;
}

/** Undefined without a goal. */
export function meetsGoal(measurement: Measurement): boolean | undefined {
  const { goal } = measurement;
  if (goal === undefined) return undefined;
  return "atLeast" in goal ? compared(measurement) >= goal.atLeast : compared(measurement) <= goal.atMost;
}

function row(measurement: Measurement): string {
  const { what, unit, samples, statistic, peer, goal } = measurement;
  const goalText = goal === undefined ? "" : "atLeast" in goal ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`;
  const verdict = meetsGoal(measurement) === false ? `${goalText}: missed` : goalText;
  const ratio = compared(measurement);
  // A peer of 0, such as a process that does nothing, has no ratio.
  const ofPeer = peer === undefined ? ["", "", ""] : [peer.what, shown(statisticOf(peer.samples, statistic)), Number.isFinite(ratio) ? ratio.toFixed(2) : ""];
  return `| ${[what, shown(statisticOf(samples, statistic)), unit, ...ofPeer, verdict].join(" | ")} |`;
}

/** The ratio to the peer, or the value itself without one. */
function compared({ samples, statistic, peer }: Measurement): number {
  if (peer?.inPairs === true) return statisticOf(samples.map((sample, index) => sample / (peer.samples[index] ?? Number.NaN)));
  const own = statisticOf(samples, statistic);
  return peer === undefined ? own : own / statisticOf(peer.samples, statistic);
}

function shown(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3);
}
