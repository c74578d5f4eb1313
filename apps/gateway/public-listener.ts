/** Bun's server for the public port: HTTP/1.1 and h2c, streams without an idle timeout, and an end without cut calls. */
import { setTimeout as sleep } from "node:timers/promises";
import type { FaultLog } from "@ridegrid/rpc";
import { drainMs } from "./limits.ts";

export interface PublicListener {
  readonly port: number;
  /** Of the connection that a request came on; empty when it is gone. */
  peerAddress(request: Request): string;
  /** Lets calls in flight end for a bounded time. Safe to call twice. */
  close(): Promise<void>;
}

export type PublicListenerOptions = {
  readonly host: string;
  readonly port: number;
  readonly fetch: (request: Request) => Response | Promise<Response>;
  readonly onFault: FaultLog;
};

/** Bodies are bounded, and read off, by the handlers: Bun's own limit would cut the connection instead. */
const bodyBytesMax = 512 * 1_048_576;
const drainPollMs = 20;

/** @throws when the port is taken. */
export function listenPublic({ host, port, fetch, onFault }: PublicListenerOptions): PublicListener {
  let closing: Promise<void> | undefined;
  const server = Bun.serve({
    hostname: host,
    port,
    http2: true,
    idleTimeout: 0,
    maxRequestBodySize: bodyBytesMax,
    fetch: (request) => fetch(request),
    error(error) {
      onFault({ method: "http", error });
      return new Response("The request failed inside the platform", { status: 500 });
    },
  });
  async function close(): Promise<void> {
    // Stops accepting; connections that are kept alive would hold the promise, so it is not awaited.
    void server.stop(false);
    for (let waitedMs = 0; server.pendingRequests > 0 && waitedMs < drainMs; waitedMs += drainPollMs) await sleep(drainPollMs);
    await server.stop(true);
  }
  return { port: server.port ?? port, peerAddress: (request) => server.requestIP(request)?.address ?? "", close: () => (closing ??= close()) };
}
