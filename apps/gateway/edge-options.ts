/** What wraps every public method, on both ports: authentication, rate limits, error mapping, deadline, expiry, validation. */
import type { HandlerContext } from "@connectrpc/connect";
import type { Tracer } from "@opentelemetry/api";
import type { Clock, IdSource } from "@ridegrid/domain";
import {
  admission,
  andThen,
  type Awaitable,
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
  toApiError,
  unaryDeadline,
} from "@ridegrid/rpc";
import { authentication, type AuthenticationRefusal } from "./authentication.ts";
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
  /** Whoever has no valid token is charged too, before being told so. */
  const charge = (context: HandlerContext, refusal: AuthenticationRefusal): Awaitable<void> => {
    const charged = limits.charge(context);
    if (refusal === undefined) return charged;
    return andThen(charged, () => {
      throw refusal.error;
    });
  };
  const pass = (context: HandlerContext): Awaitable<void> => {
    admissionControl.admit(context);
    const authenticated = authenticate(context);
    return authenticated instanceof Promise ? authenticated.then((refusal) => charge(context, refusal)) : charge(context, authenticated);
  };
  /** The gate runs outside the layers. */
  const refuse = (context: HandlerContext, beganAt: number, error: unknown): never => {
    const method = methodName(context.method);
    const refusal = toApiError(error, (cause) => onFault({ method, error: cause }));
    metrics.record(method, codeName(refusal.code), (performance.now() - beganAt) / 1_000);
    throw refusal;
  };
  return {
    // Without a closure where nothing is waited for: those of a small call would cost as much as what they do.
    gate: edgeGate((context) => {
      const beganAt = performance.now();
      if (draining.aborted) throw draining.reason;
      let passed: Awaitable<void>;
      try {
        passed = pass(context);
      } catch (error) {
        return refuse(context, beganAt, error);
      }
      return passed instanceof Promise ? passed.catch((error: unknown) => refuse(context, beganAt, error)) : undefined;
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
