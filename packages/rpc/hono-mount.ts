/**
 * The public services on Hono: Connect, gRPC-Web and JSON of all call shapes, through Bun's fetch handler.
 *
 * Native gRPC needs trailers, which Bun.serve does not send; it has a port of its own.
 */
import { type ConnectRouterOptions, createConnectRouter } from "@connectrpc/connect";
import {
  createAsyncIterable,
  type UniversalServerRequest,
  universalServerRequestFromFetch,
  type UniversalServerResponse,
  universalServerResponseToFetch,
} from "@connectrpc/connect/protocol";
import type { Hono } from "hono";
import { edgeHandler } from "./edge-handler.ts";
import { type FaultLog, toApiError } from "./error-mapping.ts";
import { bareStatusError, thrownError, unknownMethodError } from "./http-error.ts";
import { unaryImplementations } from "./implementations.ts";
import type { Routes } from "./in-memory.ts";
import { edgeBodyBytesMax } from "./limits.ts";
import { withPeerAddress } from "./peer-address.ts";
import { plainUnary } from "./plain-unary.ts";
import { pushedConnect } from "./pushed-stream.connect.ts";
import type { PushedMethod } from "./pushed-stream.ts";

export type MountOptions = {
  readonly onFault: FaultLog;
  readonly peerAddress: (request: Request) => string;
  /** False leads every call through the library's handler: slower, and for comparison only. */
  readonly plainCalls?: boolean;
  /** Streams that are pushed where they are plain; the routes answer the rest. */
  readonly pushed?: readonly PushedMethod[];
};

export function mountConnect(
  app: Hono,
  routes: Routes,
  options: ConnectRouterOptions,
  { onFault, peerAddress, plainCalls = true, pushed = [] }: MountOptions,
): void {
  const router = createConnectRouter({ ...options, grpc: false });
  const implementations = unaryImplementations(routes, router);
  for (const handler of router.handlers) {
    const edge = edgeHandler(handler);
    const implementation = plainCalls ? implementations.get(handler.requestPath) : undefined;
    const plain = implementation === undefined ? undefined : plainUnary(implementation, options);
    const isUnary = handler.method.methodKind === "unary";
    const pushedMethod = pushed.find(({ method }) => method === handler.method);
    const push = pushedMethod === undefined ? undefined : pushedConnect(pushedMethod, options);
    app.all(handler.requestPath, async (context) => {
      const { raw } = context.req;
      const contextValues = withPeerAddress(() => peerAddress(raw));
      const answered = plain?.(raw, contextValues) ?? push?.(raw, contextValues);
      if (answered !== undefined) return answered;
      const response = await edge({ ...(isUnary ? unaryRequest(raw) : streamRequest(raw)), contextValues });
      if (response.body === undefined && response.status >= 400) return bareStatusError(response, handler);
      return isUnary ? unaryResponse(response) : universalServerResponseToFetch(response);
    });
  }
  app.notFound((context) => unknownMethodError(context.req.path));
  // What is thrown outside a call: most often a caller that left while its body was read.
  app.onError((error, context) => thrownError(toApiError(error, (cause) => onFault({ method: context.req.path, error: cause }))));
}

/** "2.0" lets bidirectional streams through: Bun serves them on HTTP/1.1 as well as on h2c. */
function streamRequest(request: Request): UniversalServerRequest {
  return universalServerRequestFromFetch(request, { httpVersion: "2.0" });
}

/** A body of a known, allowed size is taken in one piece: Bun's streams cost more than all the rest of a small call. */
function unaryRequest(request: Request): UniversalServerRequest {
  const length = Number(request.headers.get("content-length") ?? Number.NaN);
  if (!(length <= edgeBodyBytesMax)) return streamRequest(request);
  return { httpVersion: "2.0", method: request.method, url: request.url, header: request.headers, signal: request.signal, body: wholeBody(request) };
}

async function* wholeBody(request: Request): AsyncIterable<Uint8Array> {
  yield await request.bytes();
}

async function unaryResponse(response: UniversalServerResponse): Promise<Response> {
  const chunks = await Array.fromAsync(response.body ?? createAsyncIterable<Uint8Array>([]));
  const init = { status: response.status, ...(response.header && { headers: response.header }) };
  return new Response(chunks.length === 1 && chunks[0] !== undefined ? new Uint8Array(chunks[0]) : Buffer.concat(chunks), init);
}
