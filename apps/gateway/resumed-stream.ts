/**
 * A stream from a service behind the gateway that outlives it: when the service goes away, the stream is opened again
 * at the cursor it had reached, so that a restart is invisible to the client. Longer than a bound, it is told.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "@ridegrid/domain";
import { isAway } from "./dependency.ts";
import { untilAborted } from "@ridegrid/rpc";
import { reconnectDelayMaxMs, reconnectDelayMinMs, streamReconnectMaxMs } from "./limits.ts";

export type ResumedStreamOptions<T> = {
  /** Opens the stream; called again after each break. The signal ends that stream, in whatever way it is left. */
  readonly open: (signal: AbortSignal) => AsyncIterable<T> | Promise<AsyncIterable<T>>;
  /** Called with each message before it is passed on: the place to keep the cursor. */
  readonly onMessage: (message: T) => void;
  /** Whether a stream that ended without an error has said all there is. */
  readonly isComplete: () => boolean;
  /** What counts as a break, besides a service that is away. */
  readonly isBreak?: (error: unknown) => boolean;
  readonly signal: AbortSignal;
  readonly random: Random;
};

export async function* resumedStream<T>(options: ResumedStreamOptions<T>): AsyncIterable<T> {
  const { signal } = options;
  let brokenForMs = 0;
  let delayMs = reconnectDelayMinMs;
  while (!signal.aborted) {
    const left = new AbortController();
    try {
      for await (const message of await options.open(AbortSignal.any([signal, left.signal]))) {
        brokenForMs = 0;
        delayMs = reconnectDelayMinMs;
        options.onMessage(message);
        yield message;
      }
      if (options.isComplete()) return;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const breaks = isAway(error) || options.isBreak?.(error) === true;
      if (!breaks || brokenForMs >= streamReconnectMaxMs) throw error;
    } finally {
      // The client library does not end a stream whose loop is left.
      left.abort();
    }
    // Jitter: many streams break at the same moment.
    const waitMs = delayMs * (0.5 + options.random.next());
    await sleep(waitMs, undefined, { signal }).catch(() => {});
    brokenForMs += waitMs;
    delayMs = Math.min(delayMs * 2, reconnectDelayMaxMs);
  }
  throw signal.reason;
}

/** Ends, without an error, when a takeover is noticed: whoever resumes looks again where to read. */
export async function* untilServedElsewhere<T>(messages: AsyncIterable<T>, change: AbortSignal): AsyncIterable<T> {
  try {
    yield* untilAborted(messages, change);
  } catch (error) {
    if (!change.aborted || error !== change.reason) throw error;
  }
}
