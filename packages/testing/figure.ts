/**
 * A figure: something measured beside a peer or baseline in the same run, with every sample kept. Lives in a `*.bench.ts`
 * beside what it measures; `bun run bench` finds and prints them.
 */
export type Figure = {
  /** What `--only` names, such as "edge". */
  readonly name: string;
  /** What is measured, how, and what it is compared with. */
  readonly doc: string;
  run(): Promise<readonly Measurement[]>;
};

export type Measurement = {
  readonly what: string;
  /** Such as "calls per CPU-second". */
  readonly unit: string;
  readonly samples: readonly number[];
  /** Measured in turn with it, so that a busy machine slows both. */
  readonly peer?: { readonly what: string; readonly samples: readonly number[] };
  /** What the ratio of the medians, or without a peer the median, should be. */
  readonly goal?: { readonly atLeast: number } | { readonly atMost: number };
};

export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low, high] = sorted.length % 2 === 1 ? [sorted[middle], sorted[middle]] : [sorted[middle - 1], sorted[middle]];
  if (low === undefined || high === undefined) throw new Error("Cannot take the median of no samples");
  return (low + high) / 2;
}
