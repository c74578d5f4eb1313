/** Does something again and again until it is aborted; after a failure with a jittered, growing, bounded delay. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "@ridegrid/domain";
import { retryDelayMaxMs, retryDelayMinMs } from "./limits.ts";

export type RetryOptions = { readonly random: Random; readonly signal: AbortSignal; readonly onFailure: (error: unknown, attempt: number) => void };

export async function retryForever(step: () => Promise<void>, { random, signal, onFailure }: RetryOptions): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    try {
      await step();
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      failures++;
      onFailure(error, failures);
      const boundMs = Math.min(retryDelayMinMs * 2 ** Math.min(failures, 10), retryDelayMaxMs);
      await sleep(boundMs * (0.5 + random.next() / 2), undefined, { signal }).catch(() => {});
    }
  }
}
