/**
 * The public services on Hono: Connect, gRPC-Web and JSON of all call shapes, through Bun's fetch handler.
 *
 * Native gRPC needs trailers, which Bun.serve does not send; it has a port of its own.
 */
import { type ConnectRouterOptions, createConnectRouter } from "@connectrpc/connect";
import { universalServerRequestFromFetch, universalServerResponseToFetch } from "@connectrpc/connect/protocol";
import type { Hono } from "hono";
import { edgeHandler } from "./edge-handler.ts";
import { bareStatusError, unknownMethodError } from "./http-error.ts";
import type { Routes } from "./in-memory.ts";

export function mountConnect(app: Hono, routes: Routes, options: ConnectRouterOptions): void {
  const router = createConnectRouter({ ...options, grpc: false });
  routes(router);
  for (const handler of router.handlers) {
    const edge = edgeHandler(handler);
    app.all(handler.requestPath, async (context) => {
      // "2.0" lets bidirectional streams through: Bun serves them on HTTP/1.1 as well as on h2c.
      const request = universalServerRequestFromFetch(context.req.raw, { httpVersion: "2.0" });
      const response = await edge(request);
      return response.body === undefined && response.status >= 400 ? bareStatusError(response, handler) : universalServerResponseToFetch(response);
    });
  }
  app.notFound((context) => unknownMethodError(context.req.path));
}
