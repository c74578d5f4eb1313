/**
 * A figure: something measured beside a peer or baseline in the same run, with every sample kept. Lives in a `*.bench.ts`
 * beside what it measures; `bun run bench` finds and prints them.
 */
export type Figure = {
  /** What `--only` names, such as "edge". */
  readonly name: string;
  /** What is measured, how, and what it is compared with. */
  readonly doc: string;
  /** Ends what it started, also when it fails or is told to stop. */
  run(options: FigureOptions): Promise<readonly Measurement[]>;
};

export type FigureOptions = {
  /** Asked for fewer samples: to see that it runs, not to quote. */
  readonly quick: boolean;
  /** Aborts when nobody waits any more, or the figure's time is over. */
  readonly signal: AbortSignal;
};

export type Measurement = {
  readonly what: string;
  /** Such as "calls per CPU-second". */
  readonly unit: string;
  readonly samples: readonly number[];
  /** What is shown and compared, of the samples and of the peer's; the median unless said otherwise. */
  readonly statistic?: Statistic;
  /** Measured in turn with it, so that a busy machine slows both. */
  readonly peer?: {
    readonly what: string;
    readonly samples: readonly number[];
    /** Each sample was taken in one turn with the peer's of the same place: the ratio is the median of these pairs'. */
    readonly inPairs?: true;
  };
  /** What the ratio to the peer, or without a peer the statistic itself, should be. */
  readonly goal?: { readonly atLeast: number } | { readonly atMost: number };
  /** What a reader must know beside the number, such as what was saturated. */
  readonly note?: string;
};

export type Statistic = "median" | "p99";

/** Of at least one sample. */
export function statisticOf(samples: readonly number[], statistic: Statistic = "median"): number {
  return statistic === "p99" ? p99(samples) : median(samples);
}

function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low, high] = sorted.length % 2 === 1 ? [sorted[middle], sorted[middle]] : [sorted[middle - 1], sorted[middle]];
  if (low === undefined || high === undefined) throw new Error("Cannot take the median of no samples");
  return (low + high) / 2;
}

/** The nearest rank: of fewer than a hundred samples, the largest. */
function p99(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const value = sorted[Math.ceil(sorted.length * 0.99) - 1];
  if (value === undefined) throw new Error("Cannot take the 99th percentile of no samples");
  return value;
}
