/** A server that drains: streams end with the signal's reason, calls in flight go on to their answer. */
import type { CallLayer } from "./call-layer.ts";
import { untilAborted } from "./until-aborted.ts";

export function endStreams(draining: AbortSignal): CallLayer {
  return {
    stream: (next) => async (request) => {
      const response = await next({ ...request, signal: AbortSignal.any([request.signal, draining]) });
      return { ...response, message: untilAborted(response.message, draining) };
    },
  };
}
