/**
 * A transport to services of the same process: every call is serialized and passes the same checks as between
 * processes, without a socket. Headers, cancellation and deadlines go along.
 */
import { type ConnectRouter, createRouterTransport, type Transport } from "@connectrpc/connect";
import { dependencyCall } from "./dependency-call.ts";
import type { FaultLog } from "./error-mapping.ts";
import { internalServerOptions } from "./internal-server.ts";

export type Routes = (router: ConnectRouter) => void;

export function createInMemoryTransport(routes: Routes, options: { readonly onFault?: FaultLog } = {}): Transport {
  return createRouterTransport((router) => routes(router), {
    router: internalServerOptions({ peers: { kind: "same-process" }, ...options }),
    transport: { interceptors: [dependencyCall()] },
  });
}
