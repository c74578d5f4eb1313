/** A server that drains: streams end with the signal's reason, calls in flight go on to their answer. */
import type { Interceptor } from "@connectrpc/connect";
import { untilAborted } from "./until-aborted.ts";

export function endStreams(draining: AbortSignal): Interceptor {
  return (next) => async (request) => {
    if (!request.stream) return next(request);
    const response = await next({ ...request, signal: AbortSignal.any([request.signal, draining]) });
    return response.stream ? { ...response, message: untilAborted(response.message, draining) } : response;
  };
}
