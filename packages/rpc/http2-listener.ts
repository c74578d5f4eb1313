/** An HTTP/2 server over cleartext that closes without cutting calls in flight. Mutual TLS will be created here. */
import { createServer, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { listenerDrainMs } from "./limits.ts";

export interface Http2Listener {
  readonly host: string;
  readonly port: number;
  /** Stops accepting, lets calls end for a bounded time, then cuts them. Safe to call twice. */
  close(): Promise<void>;
}

export type ListenOptions = {
  /** 127.0.0.1 when unset. */
  readonly host?: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly handler: (request: Http2ServerRequest, response: Http2ServerResponse) => void;
};

/** @throws when the port is taken. */
export async function listenHttp2({ host = "127.0.0.1", port, handler }: ListenOptions): Promise<Http2Listener> {
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer({}, handler);
  server.on("session", (session) => {
    sessions.add(session);
    // A peer that resets its connection is not a fault of this process.
    session.on("error", () => {});
    session.on("close", () => sessions.delete(session));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => resolve());
  });
  server.on("error", () => {});
  let closing: Promise<void> | undefined;
  return { host, port: boundPort(server.address()), close: () => (closing ??= close(server, sessions)) };
}

async function close(server: ReturnType<typeof createServer>, sessions: ReadonlySet<ServerHttp2Session>): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const session of sessions) session.close();
  const cut = setTimeout(() => {
    for (const session of sessions) session.destroy();
  }, listenerDrainMs);
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, listenerDrainMs + 500).unref())]);
  clearTimeout(cut);
}

function boundPort(address: AddressInfo | string | null): number {
  if (address === null || typeof address === "string") throw new Error(`Cannot tell the port of a listener bound to "${address}"`);
  return address.port;
}
