/**
 * A transport to services of the same process: every call is serialized and passes the same checks as between
 * processes, without a socket. Headers, cancellation and deadlines go along.
 */
import { type ConnectRouter, createRouterTransport, type Transport } from "@connectrpc/connect";
import { type CallTelemetry, clientTracing } from "./call-tracing.ts";
import { dependencyCall } from "./dependency-call.ts";
import type { FaultLog } from "./error-mapping.ts";
import { internalServerOptions } from "./internal-server.ts";

export type Routes = (router: ConnectRouter) => void;

export function createInMemoryTransport(routes: Routes, options: { readonly onFault?: FaultLog; readonly telemetry?: CallTelemetry } = {}): Transport {
  return createRouterTransport((router) => routes(router), {
    router: internalServerOptions({ peers: { kind: "same-process" }, ...options }),
    transport: { interceptors: [...(options.telemetry === undefined ? [] : [clientTracing(options.telemetry.tracer)]), dependencyCall()] },
  });
}
