/** Answers on their way to one stream, in the order they came to be known; ends once, with or without an error. */
export interface ResultQueue<T> extends AsyncIterable<readonly T[]> {
  push(result: T): void;
  end(error?: unknown): void;
}

/** Bounded by its user: nothing is pushed that was not asked for, and what may be asked for is bounded. */
export function createResultQueue<T>(): ResultQueue<T> {
  let results: T[] = [];
  let ended: { readonly error: unknown } | null = null;
  let wake: (() => void) | undefined;

  return {
    push(result) {
      results.push(result);
      wake?.();
    },
    end(error) {
      ended ??= { error };
      wake?.();
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        if (results.length > 0) {
          const batch = results;
          results = [];
          yield batch;
        } else if (ended !== null) {
          if (ended.error !== undefined) throw ended.error;
          return;
        } else {
          await new Promise<void>((resolve) => (wake = resolve));
        }
      }
    },
  };
}
