/** What a tick costs in a city in full swing, beside the same tick with the nearest drivers found by a scan of them all. */
import { type Figure, type Measurement } from "@ridegrid/testing";
import { type CsrGrid, type Positions } from "@ridegrid/spatial";
import { setTimeout as sleep } from "node:timers/promises";
import { createBusyCity } from "./busy-city.fixture.ts";
import { createCandidateSearches } from "./candidate-searches.ts";
import type { MarketState } from "./market-state.ts";
import { planTick, type TickPlan } from "./plan-tick.ts";

const seed = 20_260_115;
const rounds = { full: 3, quick: 1 };
const ticksPerRound = { full: 40, quick: 10 };
const warmUpTicks = 20;
const cities: readonly City[] = [
  { drivers: 10_000, waiting: 500 },
  { drivers: 10_000, waiting: 2_000 },
  { drivers: 100_000, waiting: 500 },
  { drivers: 100_000, waiting: 2_000 },
  { drivers: 200_000, waiting: 500 },
  { drivers: 200_000, waiting: 1_000, p99MaxMs: 10 },
  { drivers: 200_000, waiting: 2_000 },
  { drivers: 200_000, waiting: 5_000, p99MaxMs: 60 },
];

type City = { readonly drivers: number; readonly waiting: number; readonly p99MaxMs?: number };

export const figures: readonly Figure[] = [
  {
    name: "matching-tick",
    doc: "planTick() of a city, two in five drivers on a trip, all waiting rides new each tick; beside it the same plan by a scan of all free drivers",
    async run({ quick, signal }) {
      const measured: Measurement[] = [];
      for (const city of cities) {
        signal.throwIfAborted();
        measured.push(...measure(city, quick ? "quick" : "full"));
        // Lets a stop be heard.
        await sleep(0);
      }
      return measured;
    },
  },
];

function measure(city: City, length: "quick" | "full"): readonly Measurement[] {
  const { state, advance } = createBusyCity({ ...city, seed });
  const scanning = scanned(state);
  for (let tick = 0; tick < warmUpTicks; tick++) planTick(state, advance());
  const [samples, byScan] = [new Array<number>(), new Array<number>()];
  for (let round = 0; round < rounds[length]; round++) {
    for (let tick = 0; tick < ticksPerRound[length]; tick++) {
      const nowMs = advance();
      samples.push(timed(() => planTick(state, nowMs)).ms);
    }
    const nowMs = advance();
    const scan = timed(() => planTick(scanning, nowMs));
    byScan.push(scan.ms);
    assertSame(planTick(state, nowMs), scan.plan);
  }
  const what = `${city.waiting.toLocaleString("en-US")} waiting rides, ${city.drivers / 1_000}k drivers`;
  return [
    { what, unit: "ms", samples, peer: { what: "by a scan", samples: byScan } },
    { what: `${what}: p99`, unit: "ms", samples, statistic: "p99", ...(city.p99MaxMs === undefined ? {} : { goal: { atMost: city.p99MaxMs } }) },
  ];
}

function timed(plan: () => TickPlan): { readonly plan: TickPlan; readonly ms: number } {
  const beganAt = performance.now();
  const planned = plan();
  return { plan: planned, ms: performance.now() - beganAt };
}

function assertSame(plan: TickPlan, other: TickPlan): void {
  const pairs = ({ offers }: TickPlan): string => JSON.stringify(offers.map(({ rideId, driverId }) => [rideId, driverId]));
  if (pairs(plan) !== pairs(other)) throw new Error(`Cannot compare the ticks: they plan differently, ${plan.offers.length} and ${other.offers.length} offers`);
}

/** The same state, its drivers found by a look at each. */
function scanned(state: MarketState): MarketState {
  const grid = createScan();
  const { travelTime, drivers, market } = state;
  return { ...state, grid, searches: createCandidateSearches({ ...drivers, grid, travelTime, etaMaxSeconds: market.policy.pickupEtaMaxSeconds }) };
}

function createScan(): CsrGrid {
  let slots = new Int32Array(0);
  let points: Positions = { x: new Float32Array(0), y: new Float32Array(0) };
  let taken = new Uint8Array(0);
  return {
    get size() {
      return slots.length;
    },
    rebuild({ x, y }, eligible) {
      slots = eligible.slice();
      points = { x: Float32Array.from(slots, (slot) => x[slot]!), y: Float32Array.from(slots, (slot) => y[slot]!) };
      taken = new Uint8Array(slots.length);
    },
    slotAt: (place) => slots[place]!,
    xAt: (place) => points.x[place]!,
    yAt: (place) => points.y[place]!,
    has: (place) => taken[place] === 0,
    take(place) {
      taken[place] = 1;
    },
    nearest(from, radiusMeters, found) {
      const { places: best, squaredMeters } = found;
      const { x, y } = points;
      found.count = 0;
      for (let place = 0; place < slots.length; place++) {
        const squared = (x[place]! - from.x) ** 2 + (y[place]! - from.y) ** 2;
        if (squared > radiusMeters * radiusMeters || taken[place] === 1) continue;
        if (found.count === best.length && squared >= (squaredMeters[found.count - 1] ?? 0)) continue;
        let at = found.count < best.length ? found.count++ : best.length - 1;
        for (; at > 0 && (squaredMeters[at - 1] ?? 0) > squared; at--) {
          squaredMeters[at] = squaredMeters[at - 1] ?? 0;
          best[at] = best[at - 1] ?? 0;
        }
        squaredMeters[at] = squared;
        best[at] = place;
      }
    },
  };
}
