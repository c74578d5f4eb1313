/** Ids of pages waiting to be sent on the one stream there is; a new stream starts over with what has no answer. */
export interface SendQueue {
  push(pageId: number): void;
  startOver(pageIds: readonly number[]): void;
  /** Ends when the signal aborts. One reader at a time. */
  read(signal: AbortSignal): AsyncIterable<number>;
}

/** Bounded by its user: only ids of pending pages are pushed, and those are bounded. */
export function createSendQueue(): SendQueue {
  let unsent: number[] = [];
  let wake = (): void => {};
  return {
    push(pageId) {
      unsent.push(pageId);
      wake();
    },
    startOver(pageIds) {
      unsent = [...pageIds];
    },
    async *read(signal) {
      signal.addEventListener("abort", () => wake(), { once: true });
      while (!signal.aborted) {
        const pageId = unsent.shift();
        if (pageId === undefined) await new Promise<void>((resolve) => (wake = resolve));
        else yield pageId;
      }
    },
  };
}
