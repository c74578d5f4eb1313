/**
 * Internal services over HTTP/2 cleartext, for a mesh of many processes: the server side and the client side of the
 * seam where mutual TLS will go. A peer proves itself by the mesh token.
 */
import type { Interceptor, Transport } from "@connectrpc/connect";
import { connectNodeAdapter, createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { type CallTelemetry, clientTracing } from "./call-tracing.ts";
import { dependencyCall } from "./dependency-call.ts";
import type { FaultLog } from "./error-mapping.ts";
import { type Http2Listener, listenHttp2 } from "./http2-listener.ts";
import type { Routes } from "./in-memory.ts";
import { internalServerOptions } from "./internal-server.ts";
import { idleConnectionTimeoutMs, internalMessageBytesMax, pingIntervalMs, pingTimeoutMs } from "./limits.ts";
import { apiError } from "./refusal-error.ts";

export type ListenInternalOptions = {
  /** 127.0.0.1 when unset. */
  readonly host?: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly routes: Routes;
  readonly token: string;
  readonly onFault?: FaultLog;
  readonly telemetry?: CallTelemetry;
};

/** Serves internal services; on `close`, streams end with DRAINING and their callers go elsewhere or wait. */
export async function listenInternal({ host, port, routes, token, onFault, telemetry }: ListenInternalOptions): Promise<Http2Listener> {
  const draining = new AbortController();
  const options = internalServerOptions({
    peers: { kind: "mesh-token", token },
    draining: draining.signal,
    ...(onFault === undefined ? {} : { onFault }),
    ...(telemetry === undefined ? {} : { telemetry }),
  });
  const handler = connectNodeAdapter({ ...options, routes: (router) => routes(router), grpc: false, grpcWeb: false });
  const listener = await listenHttp2({ port, handler, ...(host === undefined ? {} : { host }) });
  return {
    host: listener.host,
    port: listener.port,
    close: () => {
      draining.abort(apiError("DRAINING", "The service is stopping"));
      return listener.close();
    },
  };
}

/** One connection to one peer, opened at the first call and again after it broke. */
export function h2cTransport({ url, token, telemetry }: { readonly url: string; readonly token: string; readonly telemetry?: CallTelemetry }): Transport {
  const session = { pingIntervalMs, pingTimeoutMs, idleConnectionTimeoutMs };
  return createConnectTransport({
    baseUrl: url,
    httpVersion: "2",
    sessionManager: new Http2SessionManager(url, session),
    interceptors: [...(telemetry === undefined ? [] : [clientTracing(telemetry.tracer)]), dependencyCall(), bearer(token)],
    readMaxBytes: internalMessageBytesMax,
    acceptCompression: [],
  });
}

function bearer(token: string): Interceptor {
  return (next) => (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
}
