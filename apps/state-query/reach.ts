/**
 * Up to when the read model is known to be complete: when its checkpoint was last seen at the end of the topic, else
 * when the newest record it folded was appended. Never later than the truth; the log away, it stands still.
 */
import type { Clock } from "@ridegrid/domain";
import { asOfCacheMs, asOfWaitMs } from "./limits.ts";
import { withTimeout } from "./with-timeout.ts";

export interface Reach {
  /** Milliseconds since the epoch, over all partitions; null before anything is known. Answers within `asOfWaitMs`. */
  asOfMs(): Promise<number | null>;
}

export type ReachDeps = {
  readonly clock: Clock;
  readonly partitions: readonly number[];
  readonly endOffset: (partition: number) => Promise<number>;
  readonly nextOffset: (partition: number) => Promise<number>;
  readonly lastAppendMs: (partition: number) => Promise<number | null>;
};

export function createReach(deps: ReachDeps): Reach {
  const known = new Map<number, number>();
  let measuredAtMs = Number.NEGATIVE_INFINITY;
  let measuring: Promise<void> | null = null;

  async function measure(): Promise<void> {
    measuredAtMs = deps.clock.nowMs();
    await Promise.all(
      deps.partitions.map(async (partition) => {
        const reached = await measurePartition(deps, partition);
        if (reached !== null) known.set(partition, Math.max(reached, known.get(partition) ?? 0));
      }),
    );
  }

  return {
    async asOfMs() {
      // A clock that was set back measures again at once.
      if (Math.abs(deps.clock.nowMs() - measuredAtMs) >= asOfCacheMs) {
        // What cannot be measured leaves the last answer standing, which is older and so still true.
        measuring ??= measure()
          .catch(() => {})
          .finally(() => (measuring = null));
      }
      if (measuring !== null) await withTimeout(measuring, asOfWaitMs).catch(() => {});
      const times = deps.partitions.map((partition) => known.get(partition));
      return times.reduce<number | null>((least, time) => (least === null || time === undefined ? null : Math.min(least, time)), Number.POSITIVE_INFINITY);
    },
  };
}

async function measurePartition(deps: ReachDeps, partition: number): Promise<number | null> {
  const askedAtMs = deps.clock.nowMs();
  const end = await deps.endOffset(partition).catch(() => null);
  if (end !== null && (await deps.nextOffset(partition)) >= end) return askedAtMs;
  return await deps.lastAppendMs(partition);
}
