/**
 * What every server of an internal service wraps its handlers in: who calls, validation, deadline, error mapping.
 *
 * The caller's principal is believed only from a peer that proved itself: the same process, or the bearer of the
 * mesh token. Mutual TLS will be a third kind of peer here, and nothing else changes.
 */
import { timingSafeEqual } from "node:crypto";
import type { ConnectRouterOptions, HandlerContext } from "@connectrpc/connect";
import { callMeasuring } from "./call-metrics.ts";
import { type CallTelemetry, serverTracing } from "./call-tracing.ts";
import { type Caller, callerHeaders, callerKey, type Role } from "./caller.ts";
import { unaryDeadline } from "./deadline.ts";
import { endStreams } from "./drain.ts";
import { errorMapping, type FaultLog } from "./error-mapping.ts";
import { fieldValidation } from "./field-validation.ts";
import { layerInterceptor } from "./layer-interceptor.ts";
import { edgeCallTimeoutMs, internalMessageBytesMax } from "./limits.ts";
import { apiError } from "./refusal-error.ts";

export type InternalPeers = { readonly kind: "same-process" } | { readonly kind: "mesh-token"; readonly token: string };

export type InternalServerOptions = {
  readonly peers: InternalPeers;
  readonly onFault?: FaultLog;
  /** Aborted when the server drains: streams end with its reason, calls in flight are answered. */
  readonly draining?: AbortSignal;
  readonly telemetry?: CallTelemetry;
};

export function internalServerOptions({ peers, onFault = () => {}, draining, telemetry }: InternalServerOptions): ConnectRouterOptions {
  return {
    requestGate: (context) => {
      if (peers.kind === "mesh-token") requireMeshToken(context, peers.token);
      context.values.set(callerKey, callerFromHeaders(context.requestHeader));
    },
    interceptors: [
      layerInterceptor([
        ...(telemetry === undefined ? [] : [serverTracing(telemetry.tracer), callMeasuring(telemetry.calls)]),
        errorMapping(onFault),
        unaryDeadline(edgeCallTimeoutMs),
        ...(draining === undefined ? [] : [endStreams(draining)]),
        fieldValidation,
      ]),
    ],
    readMaxBytes: internalMessageBytesMax,
  };
}

function requireMeshToken(context: HandlerContext, token: string): void {
  const given = Buffer.from(context.requestHeader.get("authorization") ?? "");
  const expected = Buffer.from(`Bearer ${token}`);
  if (given.length === 0) throw apiError("TOKEN_MISSING", "Cannot call an internal service without the mesh token");
  if (given.length !== expected.length || !timingSafeEqual(given, expected))
    throw apiError("TOKEN_INVALID", "Cannot call an internal service: the mesh token is another one");
}

const roles: ReadonlySet<string> = new Set<Role>(["rider", "driver", "operator", "viewer", "service"]);

function callerFromHeaders(headers: Headers): Caller | undefined {
  const principal = headers.get(callerHeaders.principal);
  const role = headers.get(callerHeaders.role);
  if (principal === null || role === null || !isRole(role)) return undefined;
  return { principal: decodeURIComponent(principal), role };
}

function isRole(role: string): role is Role {
  return roles.has(role);
}
