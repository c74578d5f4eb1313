/** Ends a stream with TOKEN_EXPIRED when its token expires. A unary call ends with its deadline, long before. */
import type { Clock } from "@ridegrid/domain";
import { apiError, type CallLayer, untilAborted } from "@ridegrid/rpc";
import { tokenExpiryKey } from "./authentication.ts";

export function tokenExpiry(clock: Clock): CallLayer {
  return {
    stream: (next) => async (request) => {
      const expiresAtMs = request.contextValues.get(tokenExpiryKey);
      if (expiresAtMs === undefined) return next(request);
      const expired = new AbortController();
      const stop = atTime(clock, expiresAtMs, () => expired.abort(apiError("TOKEN_EXPIRED", "The token has expired")));
      request.signal.addEventListener("abort", stop, { once: true });
      const response = await next({ ...request, signal: AbortSignal.any([request.signal, expired.signal]) });
      return { ...response, message: untilAborted(response.message, expired.signal) };
    },
  };
}

/** A timer counts at most 2^31 - 1 ms, about 25 days. */
const timerMaxMs = 2 ** 31 - 1;

function atTime(clock: Clock, timeMs: number, act: () => void): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const wait = (): void => {
    const leftMs = timeMs - clock.nowMs();
    if (leftMs <= 0) return act();
    timer = setTimeout(wait, Math.min(leftMs, timerMaxMs));
  };
  wait();
  return () => clearTimeout(timer);
}
