/** An open load: calls begin at their time whether earlier ones were answered or not, as a crowd's do. */
import { setTimeout as sleep } from "node:timers/promises";

export type OfferedLoad = {
  readonly perSecond: number;
  readonly seconds: number;
  /** True when the call was done, false when it was refused; anything else it throws. */
  readonly call: (index: number) => Promise<boolean>;
};

export type LoadOutcome = {
  readonly offered: number;
  readonly accepted: number;
  readonly refused: number;
  readonly acceptedMs: Percentiles;
  readonly refusedMs: Percentiles;
};

/** 0 where there was nothing to measure. */
export type Percentiles = { readonly p50: number; readonly p99: number };

export async function offerLoad({ perSecond, seconds, call }: OfferedLoad): Promise<LoadOutcome> {
  const accepted: number[] = [];
  const refused: number[] = [];
  const offered = Math.round(perSecond * seconds);
  await callAtRate({ perSecond, calls: offered, call: (index) => timed(call, index, { accepted, refused }) });
  return { offered, accepted: accepted.length, refused: refused.length, acceptedMs: percentiles(accepted), refusedMs: percentiles(refused) };
}

/** Resolves when the last call was answered. */
export async function callAtRate(load: { readonly perSecond: number; readonly calls: number; readonly call: (index: number) => Promise<void> }): Promise<void> {
  const begun: Promise<void>[] = [];
  const startedAt = performance.now();
  while (begun.length < load.calls) {
    const due = Math.min(load.calls, Math.floor(((performance.now() - startedAt) / 1_000) * load.perSecond) + 1);
    while (begun.length < due) begun.push(load.call(begun.length));
    await sleep(1);
  }
  await Promise.all(begun);
}

async function timed(
  call: OfferedLoad["call"],
  index: number,
  { accepted, refused }: { readonly accepted: number[]; readonly refused: number[] },
): Promise<void> {
  const startedAt = performance.now();
  const done = await call(index);
  (done ? accepted : refused).push(performance.now() - startedAt);
}

function percentiles(millis: readonly number[]): Percentiles {
  const sorted = millis.toSorted((left, right) => left - right);
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}
