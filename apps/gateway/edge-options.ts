/** What wraps every public method, on both ports: authentication, rate limits, error mapping, deadline, expiry, validation. */
import type { Tracer } from "@opentelemetry/api";
import type { Clock, IdSource } from "@ridegrid/domain";
import {
  admission,
  andThen,
  callMeasuring,
  type CallMetrics,
  codeName,
  edgeBodyBytesMax,
  edgeCallTimeoutMs,
  edgeGate,
  type EdgeOptions,
  edgeTracing,
  endStreams,
  errorMapping,
  type FaultLog,
  fieldValidation,
  methodName,
  recovered,
  toApiError,
  unaryDeadline,
} from "@ridegrid/rpc";
import { authentication } from "./authentication.ts";
import type { AdmissionControl } from "./admission-control.ts";
import type { CallLimits } from "./call-limits.ts";
import type { Identity } from "./identity.ts";
import { untracedMethods } from "./limits.ts";
import { tokenExpiry } from "./token-expiry.ts";

export type EdgeOptionsDeps = {
  readonly identity: Identity;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly tracer: Tracer;
  readonly metrics: CallMetrics;
  readonly limits: CallLimits;
  readonly admissionControl: AdmissionControl;
  readonly onFault: FaultLog;
  /** Aborted when the gateway stops: streams end, calls in flight are answered, new ones are refused. */
  readonly draining: AbortSignal;
};

export function edgeOptions({ identity, clock, ids, tracer, metrics, limits, admissionControl, onFault, draining }: EdgeOptionsDeps): EdgeOptions {
  const authenticate = authentication(identity);
  return {
    gate: edgeGate((context) => {
      const beganAt = performance.now();
      if (draining.aborted) throw draining.reason;
      const pass = () => {
        admissionControl.admit(context);
        // Whoever has no valid token is charged too, before being told so.
        return andThen(authenticate(context), (refusal) =>
          andThen(limits.charge(context), () => {
            if (refusal !== undefined) throw refusal.error;
          }),
        );
      };
      return recovered(pass, (error) => {
        // The gate runs outside the layers.
        const method = methodName(context.method);
        const refusal = toApiError(error, (cause) => onFault({ method, error: cause }));
        metrics.record(method, codeName(refusal.code), (performance.now() - beganAt) / 1_000);
        throw refusal;
      });
    }),
    layers: [
      edgeTracing({ tracer, ids, untraced: untracedMethods }),
      callMeasuring(metrics),
      errorMapping(onFault),
      admission,
      admissionControl.layer,
      unaryDeadline(edgeCallTimeoutMs),
      endStreams(draining),
      tokenExpiry(clock),
      fieldValidation,
    ],
    readMaxBytes: edgeBodyBytesMax,
  };
}
