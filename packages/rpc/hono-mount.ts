/**
 * The public services before and on Hono: Connect, gRPC-Web and JSON of all call shapes, through Bun's fetch handler. A
 * plain unary call is answered before Hono sees it.
 *
 * Native gRPC needs trailers, which Bun.serve does not send; it has a port of its own.
 */
import { type ContextValues, createConnectRouter } from "@connectrpc/connect";
import {
  createAsyncIterable,
  type UniversalServerRequest,
  universalServerRequestFromFetch,
  type UniversalServerResponse,
  universalServerResponseToFetch,
} from "@connectrpc/connect/protocol";
import type { Hono } from "hono";
import { edgeHandler } from "./edge-handler.ts";
import { type EdgeOptions, routerOptions } from "./edge-options.ts";
import { type FaultLog, toApiError } from "./error-mapping.ts";
import { bareStatusError, thrownError, unknownMethodError } from "./http-error.ts";
import { unaryImplementations } from "./implementations.ts";
import type { Routes } from "./in-memory.ts";
import { edgeBodyBytesMax } from "./limits.ts";
import { withPeerAddress } from "./peer-address.ts";
import { type PlainUnary, plainUnary } from "./plain-unary.ts";
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

export type Fetch = (request: Request) => Response | Promise<Response>;

/** @returns what answers all requests: those of the services, and whatever else `app` answers. */
export function mountConnect(app: Hono, routes: Routes, edgeOptions: EdgeOptions, options: MountOptions): Fetch {
  const { onFault, peerAddress, plainCalls = true, pushed = [] } = options;
  const router = createConnectRouter({ ...routerOptions(edgeOptions), grpc: false });
  const implementations = unaryImplementations(routes, router);
  const valuesOf = (request: Request): ContextValues => withPeerAddress(() => peerAddress(request));
  for (const handler of router.handlers) {
    const edge = edgeHandler(handler);
    const isUnary = handler.method.methodKind === "unary";
    const pushedMethod = pushed.find(({ method }) => method === handler.method);
    const push = pushedMethod === undefined ? undefined : pushedConnect(pushedMethod, routerOptions(edgeOptions));
    app.all(handler.requestPath, async (context) => {
      const { raw } = context.req;
      const contextValues = valuesOf(raw);
      const answered = push?.(raw, contextValues);
      if (answered !== undefined) return answered;
      const response = await edge({ ...(isUnary ? unaryRequest(raw) : streamRequest(raw)), contextValues });
      if (response.body === undefined && response.status >= 400) return bareStatusError(response, handler);
      return isUnary ? unaryResponse(response) : universalServerResponseToFetch(response);
    });
  }
  const thrown = (method: string, error: unknown): Response => thrownError(toApiError(error, (cause) => onFault({ method, error: cause })));
  app.notFound((context) => unknownMethodError(context.req.path));
  app.onError((error, context) => thrown(context.req.path, error));
  if (!plainCalls) return (request) => app.fetch(request);
  const plain = new Map<string, PlainUnary>();
  for (const [path, implementation] of implementations)
    plain.set(
      path,
      plainUnary(implementation, edgeOptions, (error) => thrown(path, error)),
    );
  return (request) => plain.get(pathOf(request.url))?.(request, valuesOf) ?? app.fetch(request);
}

/** By hand: a URL object costs more than the whole way to the handler. */
function pathOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  const end = url.indexOf("?", start);
  return end < 0 ? url.slice(start) : url.slice(start, end);
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
