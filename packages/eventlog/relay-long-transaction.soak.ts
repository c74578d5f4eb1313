/**
 * A writing transaction that stays open for ten minutes (`RELAY_SOAK_SECONDS` for less) under 5,000 events/s: every event is
 * read from the topic within the bound to the end, no slower in the last tenth than in the first, none lost, none twice.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { measureLatency, percentile } from "./relay-latency.fixture.ts";
import { type RelayBench, startRelayBench } from "./relay-bench.fixture.ts";

const run = { perSecond: 5_000, seconds: Number(process.env["RELAY_SOAK_SECONDS"] ?? "600"), longTransaction: true };
const p99Ms = 100;

let bench: RelayBench;
beforeAll(async () => {
  bench = await startRelayBench();
}, 120_000);
afterAll(() => bench.close(), 60_000);

test(
  "publishing does not slow down while a writing transaction stays open",
  async () => {
    const { all, p99OfSeconds, repeated, relayCores } = await measureLatency(bench, run);
    const tenth = Math.ceil(run.seconds / 10);
    const [first, last] = [median(p99OfSeconds.slice(0, tenth)), median(p99OfSeconds.slice(-tenth))];
    const p99 = percentile(all, 0.99);
    console.log(
      `${all.length} events in ${run.seconds} s to ${bench.logName} under one open transaction: p50 ${percentile(all, 0.5).toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, ` +
        `last ${all.at(-1)?.toFixed(0)} ms; p99 of a second, median of the first tenth ${first.toFixed(1)} ms, of the last ${last.toFixed(1)} ms; ` +
        `${repeated} repeated; relay ${relayCores.toFixed(2)} CPU seconds a second`,
    );
    const slow = p99OfSeconds.flatMap((ms, second) => (ms > p99Ms ? [`${second} s: ${ms.toFixed(0)} ms`] : []));
    console.log(`seconds whose p99 was above ${p99Ms} ms: ${slow.length === 0 ? "none" : slow.join(", ")}`);
    expect(all.every((ms) => Number.isFinite(ms))).toBe(true);
    expect(repeated).toBe(0);
    expect(last).toBeLessThan(Math.max(p99Ms, 2 * first));
    expect(p99).toBeLessThan(p99Ms);
  },
  (run.seconds + 120) * 1_000,
);

function median(samples: readonly number[]): number {
  return percentile(Float64Array.from(samples).toSorted(), 0.5);
}
