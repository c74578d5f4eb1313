/** Batch ids waiting to be sent on the one stream there is; a new stream starts over with what has no answer. */
export interface SendQueue {
  push(batchId: bigint): void;
  startOver(batchIds: readonly bigint[]): void;
  /** Ends when the signal aborts. One reader at a time. */
  read(signal: AbortSignal): AsyncIterable<bigint>;
}

/** Bounded by its user: only ids of pending batches are pushed, and those are bounded. */
export function createSendQueue(): SendQueue {
  let unsent: bigint[] = [];
  let wake = (): void => {};
  return {
    push(batchId) {
      unsent.push(batchId);
      wake();
    },
    startOver(batchIds) {
      unsent = [...batchIds];
    },
    async *read(signal) {
      signal.addEventListener("abort", () => wake(), { once: true });
      while (!signal.aborted) {
        const batchId = unsent.shift();
        if (batchId === undefined) await new Promise<void>((resolve) => (wake = resolve));
        else yield batchId;
      }
    },
  };
}
