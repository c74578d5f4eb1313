/** The public services as native gRPC, on a port of their own: `node:http2` sends the trailers that gRPC needs. */
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { Code, createConnectRouter } from "@connectrpc/connect";
import { compressionGzip, universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import { createMethodUrl } from "@connectrpc/connect/protocol";
import { edgeHandler } from "./edge-handler.ts";
import { type EdgeOptions, routerOptions } from "./edge-options.ts";
import { type FaultLog, toApiError } from "./error-mapping.ts";
import type { Routes } from "./in-memory.ts";
import { withPeerAddress } from "./peer-address.ts";
import { pushedGrpc } from "./pushed-stream.grpc.ts";
import type { PushedMethod } from "./pushed-stream.ts";

export function nativeGrpcHandler(
  routes: Routes,
  options: EdgeOptions,
  onFault: FaultLog,
  pushed: readonly PushedMethod[] = [],
): (request: Http2ServerRequest, response: Http2ServerResponse) => void {
  const router = createConnectRouter({ ...routerOptions(options), connect: false, grpcWeb: false, acceptCompression: [compressionGzip] });
  routes(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, edgeHandler(handler)]));
  const pushes = new Map(pushed.map((each) => [createMethodUrl("/", each.method), pushedGrpc(each, routerOptions(options))]));
  return (request, response) => {
    const path = request.url.split("?", 1)[0] ?? "";
    const handler = handlers.get(path);
    if (handler === undefined) return unknownMethod(path, response);
    const contextValues = withPeerAddress(() => request.socket.remoteAddress ?? "");
    if (pushes.get(path)?.(request, response, contextValues) === true) return;
    handler(universalRequestFromNodeRequest(request, response, undefined, contextValues))
      .then((answer) => universalResponseToNodeResponse(answer, response))
      .catch((error: unknown) => {
        // Most often a caller that left, which is no fault.
        toApiError(error, (cause) => onFault({ method: path.slice(1), error: cause }));
        response.stream?.close();
      });
  };
}

/** A trailers-only answer, as the protocol asks for. */
function unknownMethod(path: string, response: Http2ServerResponse): void {
  response.writeHead(200, {
    "content-type": "application/grpc",
    "grpc-status": String(Code.Unimplemented),
    "grpc-message": encodeURIComponent(`There is no method "${path}"`),
  });
  response.end();
}
