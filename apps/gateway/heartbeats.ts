/** Puts a heartbeat into a stream that is quiet, so that no proxy takes it for dead. */

export async function* withHeartbeats<T>(messages: AsyncIterable<T>, options: { readonly intervalMs: number; readonly heartbeat: () => T }): AsyncIterable<T> {
  const source = messages[Symbol.asyncIterator]();
  try {
    let pending = source.next();
    for (;;) {
      const next = await nextOrQuiet(pending, options.intervalMs);
      if (next === "quiet") {
        yield options.heartbeat();
        continue;
      }
      if (next.done === true) return;
      yield next.value;
      pending = source.next();
    }
  } finally {
    source.return?.().catch(() => {});
  }
}

async function nextOrQuiet<T>(pending: Promise<IteratorResult<T>>, intervalMs: number): Promise<IteratorResult<T> | "quiet"> {
  const quiet = Promise.withResolvers<"quiet">();
  const timer = setTimeout(() => quiet.resolve("quiet"), intervalMs);
  try {
    return await Promise.race([pending, quiet.promise]);
  } finally {
    clearTimeout(timer);
  }
}
