/** What wraps every public method, on both ports: authentication, error mapping, deadline, expiry, validation. */
import type { ConnectRouterOptions } from "@connectrpc/connect";
import type { Clock, IdSource } from "@ridegrid/domain";
import {
  admission,
  edgeBodyBytesMax,
  edgeCallTimeoutMs,
  endStreams,
  errorMapping,
  type FaultLog,
  fieldValidation,
  toApiError,
  unaryDeadline,
} from "@ridegrid/rpc";
import { authentication } from "./authentication.ts";
import { type CallMetrics, callMeasuring } from "./call-metrics.ts";
import type { Identity } from "./identity.ts";
import { tokenExpiry } from "./token-expiry.ts";

export type EdgeOptionsDeps = {
  readonly identity: Identity;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly metrics: CallMetrics;
  readonly onFault: FaultLog;
  /** Aborted when the gateway stops: streams end, calls in flight are answered, new ones are refused. */
  readonly draining: AbortSignal;
};

export function edgeOptions({ identity, clock, ids, metrics, onFault, draining }: EdgeOptionsDeps): ConnectRouterOptions {
  const authenticate = authentication(identity);
  return {
    async requestGate(context) {
      if (!context.requestHeader.has("traceparent")) context.requestHeader.set("traceparent", newTraceparent(ids));
      if (draining.aborted) throw draining.reason;
      try {
        await authenticate(context);
      } catch (error) {
        // The gate runs outside the interceptors.
        throw toApiError(error, (cause) => onFault({ method: `${context.service.typeName}/${context.method.name}`, error: cause }));
      }
    },
    interceptors: [
      callMeasuring(metrics),
      errorMapping(onFault),
      admission(),
      unaryDeadline(edgeCallTimeoutMs),
      endStreams(draining),
      tokenExpiry(clock),
      fieldValidation(),
    ],
    readMaxBytes: edgeBodyBytesMax,
  };
}

/** A trace begins here when the client brought none: W3C trace context, sampled. */
function newTraceparent(ids: IdSource): string {
  const traceId = ids.uuid().replaceAll("-", "");
  return `00-${traceId}-${ids.uuid().replaceAll("-", "").slice(16)}-01`;
}
