/**
 * How soon a rider's request is an offer at a driver, and how many rides a second the platform carries through their whole
 * life: at 5 to 50 a second, then in steps to the knee, with what each process used there.
 */
import { availableParallelism } from "node:os";
import type { Figure, FigureOptions, Measurement } from "@ridegrid/testing";
import { startLoad, withCpu, withMesh } from "./bench-mesh.fixture.ts";
import type { MeshFile } from "./mesh-file.ts";
import { machineBusy } from "./process-usage.ts";
import type { Step } from "./test-programs/ride-load.ts";

export const figures: readonly Figure[] = [
  {
    name: "dispatch",
    doc: "request → offer as its driver's stream tells it, each app in a process of its own; the peer is the wait for a matching tick alone, spread evenly over its interval",
    run: measureDispatch,
  },
];

/** One tick of matching: what nobody who waits for a batch can be below. */
const tickMs = 1_000;
const tickAlone = { what: "the tick", samples: Array.from({ length: 100 }, (_, index) => ((index + 0.5) / 100) * tickMs) };
/** Always measured; the first is what the others are judged by. */
const fixedRates = [5, 10, 20, 50];
const steps = [75, 100, 125, 150, 200, 250, 300];
/** No step begins later: one past the knee waits for its last rides, and a figure has four minutes. */
const lastStepBeginsMs = 130_000;
const warmUpSeconds = { quick: 3, full: 10 };
/** Of a step the first two seconds do not count; matching bunches what comes after them by its tick. */
const stepSeconds = { quick: 5, full: 10 };

type Rate = {
  readonly perSecond: number;
  readonly step: Step;
  readonly shares: ReadonlyMap<string, number>;
  readonly busy: number;
  readonly wallSeconds: number;
};

async function measureDispatch({ quick, signal }: FigureOptions): Promise<readonly Measurement[]> {
  return await withMesh(["--processes"], signal, (file) => measureMesh(file, quick));
}

async function measureMesh(file: MeshFile, quick: boolean): Promise<readonly Measurement[]> {
  const length = quick ? "quick" : "full";
  const beganAt = performance.now();
  await using load = startLoad("ride-load.ts", { url: file.gateways["ewr"] ?? "", drivers: quick ? 200 : 600, riders: 1_500 });
  await load.ask({ open: true });
  const run = async (perSecond: number, seconds: number): Promise<Rate> => {
    const before = machineBusy();
    const startMs = performance.now();
    const { answer: step, cpu } = await withCpu(
      () => ({ ...file.pids, load: load.pid }),
      () => load.ask<Step>({ perSecond, rides: perSecond * seconds }),
    );
    const wallSeconds = (performance.now() - startMs) / 1_000;
    const shares = new Map([...cpu].map(([name, used]) => [name, used / wallSeconds]));
    return { perSecond, step, shares, busy: machineBusy(before), wallSeconds };
  };
  // Nobody's first seconds: nine processes compile their code and fill their pools.
  await run(10, warmUpSeconds[length]);
  const rates: Rate[] = [];
  for (const perSecond of fixedRates) rates.push(await run(perSecond, stepSeconds[length]));
  const calm = rates[0];
  for (const perSecond of quick ? steps.slice(0, 2) : steps) {
    const last = rates.at(-1);
    if (calm === undefined || last === undefined || isPastKnee(last, calm) || performance.now() - beganAt > lastStepBeginsMs) break;
    rates.push(await run(perSecond, stepSeconds[length]));
  }
  return [...rates.flatMap(atRate), ...(calm === undefined ? [] : wholeLife(rates, calm))];
}

function isPastKnee({ perSecond, step }: Rate, calm: Rate): boolean {
  const lost = count(step.refused) + step.left;
  return p99Of(step) > 2 * p99Of(calm.step) || lost > 0.01 * step.requested || step.completedPerSecond < 0.8 * perSecond;
}

function atRate(rate: Rate): readonly Measurement[] {
  const { perSecond, step } = rate;
  const what = `request → offer at ${perSecond} rides/s`;
  if (step.offerMs.length === 0) return [];
  return [
    { what: `${what}: median`, unit: "ms", samples: step.offerMs, peer: tickAlone, note: described(rate) },
    { what: `${what}: p99`, unit: "ms", samples: step.offerMs, statistic: "p99", peer: tickAlone },
  ];
}

/** The best rate that came before the knee, and what one ride costs there. */
function wholeLife(rates: readonly Rate[], calm: Rate): readonly Measurement[] {
  const good = rates.filter((rate) => !isPastKnee(rate, calm));
  const best = good.at(-1) ?? calm;
  const knee = rates.find((rate) => isPastKnee(rate, calm));
  const ours = (rate: Rate): number => [...rate.shares].reduce((sum, [name, share]) => (name === "load" ? sum : sum + share), 0);
  const perRide = ({ step, wallSeconds, ...rate }: Rate): number =>
    (ours({ step, wallSeconds, ...rate }) * wallSeconds * 1_000) / Math.max(1, step.lifeMs.length);
  return [
    {
      what: `rides through their whole life, the last rate ${good.length === 0 ? "(past the knee)" : "before the knee"}`,
      unit: "rides/s",
      samples: [best.step.completedPerSecond],
      peer: { what: "asked for", samples: [best.perSecond] },
      note: knee === undefined ? "the knee lies beyond the last step" : `the knee is at ${knee.perSecond} rides/s, where ${saturated(knee)}`,
    },
    { what: `request → completed at ${best.perSecond} rides/s: median`, unit: "ms", samples: best.step.lifeMs, peer: tickAlone },
    {
      what: `a ride's processor time at ${best.perSecond} rides/s, Postgres included`,
      unit: "CPU ms",
      samples: [perRide(best)],
      peer: { what: `at ${calm.perSecond}/s`, samples: [perRide(calm)] },
    },
  ];
}

function described(rate: Rate): string {
  const { step, busy } = rate;
  const refused = Object.entries(step.refused).map(([reason, times]) => `${times} × ${reason}`);
  const bad = [...refused, ...(step.left > 0 ? [`${step.left} rides without an end`] : [])];
  return `${step.completedPerSecond.toFixed(0)} completed/s${bad.length === 0 ? "" : `; ${bad.join(", ")}`}; machine ${percent(busy)} busy, ${users(rate)}`;
}

function saturated(rate: Rate): string {
  const [busiest] = byShare(rate);
  if (busiest !== undefined && busiest[0] !== "postgres" && busiest[1] > 0.85) return `${busiest[0]} has one thread and uses ${percent(busiest[1])} of a core`;
  if (rate.busy > 0.9) return `the machine's processors are all busy (${percent(rate.busy)}), ${users(rate)}`;
  return `no processor is used up (machine ${percent(rate.busy)}), ${users(rate)}`;
}

/** Whatever else the machine does is in how busy it is, and not in here. */
function users(rate: Rate): string {
  const all = byShare(rate);
  const together = all.reduce((sum, [, share]) => sum + share, 0) / availableParallelism();
  const shown = all.filter(([, share]) => share >= 0.03).map(([name, share]) => `${name} ${percent(share)}`);
  return `by all of these ${percent(together)}; of a core ${shown.join(", ")}`;
}

function byShare({ shares }: Rate): readonly (readonly [string, number])[] {
  return [...shares].toSorted(([, left], [, right]) => right - left);
}

function p99Of({ offerMs }: Step): number {
  return offerMs.toSorted((left, right) => left - right)[Math.ceil(offerMs.length * 0.99) - 1] ?? Number.POSITIVE_INFINITY;
}

function count(refused: Readonly<Record<string, number>>): number {
  return Object.values(refused).reduce((sum, times) => sum + times, 0);
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
