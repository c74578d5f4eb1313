/** A stream's messages until a signal aborts, whose reason is then thrown, even while the stream is quiet. */
import { orAborted } from "./deadline.ts";

export async function* untilAborted<T>(messages: AsyncIterable<T>, signal: AbortSignal): AsyncIterable<T> {
  const source = messages[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await orAborted(signal, source.next());
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    // Not awaited: a source that hangs in `next` ends when it sees its own signal.
    source.return?.().catch(() => {});
  }
}
