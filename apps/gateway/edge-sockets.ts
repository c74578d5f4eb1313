/** The two ports of a gateway, opened together or not at all. */
import { type FaultLog, listenHttp2, type nativeGrpcHandler } from "@ridegrid/rpc";
import { listenPublic, type PublicListenerOptions } from "./public-listener.ts";

export interface EdgeSockets {
  /** Such as "http://localhost:8001". */
  readonly url: string;
  /** Such as "localhost:8002". */
  readonly grpcAddress: string;
  /** Of a request on the first port. */
  peerAddress(request: Request): string;
  close(): Promise<void>;
}

export type EdgeSocketsOptions = {
  readonly host: string;
  readonly port: number;
  readonly grpcPort: number;
  readonly fetch: PublicListenerOptions["fetch"];
  readonly native: ReturnType<typeof nativeGrpcHandler>;
  readonly onFault: FaultLog;
};

/** @throws when a port is taken. */
export async function openEdgeSockets({ host, port, grpcPort, fetch, native, onFault }: EdgeSocketsOptions): Promise<EdgeSockets> {
  const http = listenPublic({ host, port, fetch, onFault });
  try {
    const grpc = await listenHttp2({ host, port: grpcPort, handler: native });
    return {
      url: `http://${shownHost(host)}:${http.port}`,
      grpcAddress: `${shownHost(host)}:${grpc.port}`,
      peerAddress: (request) => http.peerAddress(request),
      async close() {
        await Promise.all([http.close(), grpc.close()]);
      },
    };
  } catch (error) {
    // Half a gateway must not keep its port.
    await http.close();
    throw error;
  }
}

/** An address to call, where the one listened on names every interface. */
function shownHost(host: string): string {
  return host === "0.0.0.0" || host === "::" || host === "127.0.0.1" ? "localhost" : host;
}
