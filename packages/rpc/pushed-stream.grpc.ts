/** Pushed streams over native gRPC, on `node:http2`: flow control is the stream's own, and trailers say how it ended. */
import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Stream } from "node:http2";
import { Code, ConnectError, type ConnectRouterOptions, type ContextValues } from "@connectrpc/connect";
import { contentTypeProto, setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { createEnvelopeReader, envelope } from "./envelope-reader.ts";
import {
  beginPushedCall,
  errorOf,
  isPlainStream,
  type PushedEnd,
  type PushedCall,
  type PushedMethod,
  type PushedStream,
  runPushedCall,
} from "./pushed-stream.ts";

const contentTypes: ReadonlySet<string> = new Set(["application/grpc", contentTypeProto]);

/** False when the library has to answer it; it is untouched then. */
export type PushedGrpc = (request: Http2ServerRequest, response: Http2ServerResponse, contextValues: ContextValues) => boolean;

export function pushedGrpc(pushed: PushedMethod, options: ConnectRouterOptions): PushedGrpc {
  return (request, response, contextValues) => {
    if (request.method !== "POST" || !contentTypes.has(request.headers["content-type"] ?? "")) return false;
    const requestHeader = headersOf(request);
    if (!isPlainStream(requestHeader)) return false;
    const url = `http://${request.authority}${request.url}`;
    const call = beginPushedCall(pushed, options, { protocolName: "grpc", url, requestHeader, contentType: contentTypeProto, contextValues });
    request.on("error", () => {});
    response.on("error", () => {});
    response.on("close", () => call.abort(new ConnectError("The caller went away", Code.Canceled)));
    void serve(pushed, options, { request, response, call }).then((end) => finish(response, call, end));
    return true;
  };
}

type Exchange = { readonly request: Http2ServerRequest; readonly response: Http2ServerResponse; readonly call: PushedCall };

async function serve(pushed: PushedMethod, options: ConnectRouterOptions, { request, response, call }: Exchange): Promise<PushedEnd> {
  try {
    await options.requestGate?.(call);
  } catch (error) {
    return { error };
  }
  const { stream } = request;
  if (call.signal.aborted || stream.destroyed) return { error: call.signal.reason };
  // Past the request and the response, which would each add a buffer of their own.
  const peer = { send: (message: Uint8Array): boolean => !stream.destroyed && stream.write(envelope(message)), resume: (): void => void stream.resume() };
  const opened = (pushedStream: PushedStream): void => {
    response.writeHead(200, Object.fromEntries(call.responseHeader));
    stream.on("drain", () => pushedStream.drained());
    stream.on("close", () => pushedStream.leave());
    readInto(pushedStream, stream);
  };
  return runPushedCall(pushed, call, { interceptors: options.interceptors, peer, opened });
}

function readInto(stream: PushedStream, http2: ServerHttp2Stream): void {
  const envelopes = createEnvelopeReader();
  const take = (bytes: Uint8Array, from: number, to: number): void => stream.take(bytes, from, to);
  http2.on("data", (chunk: Buffer) => {
    try {
      envelopes.read(chunk, take);
    } catch (error) {
      stream.fail(error);
    }
    if (!stream.taken()) http2.pause();
  });
  const halfClose = (): void => {
    try {
      envelopes.end();
      stream.halfClose();
    } catch (error) {
      stream.fail(error);
    }
  };
  // A caller who had nothing to say may be done before anybody listens.
  if (http2.readableEnded) halfClose();
  else http2.on("end", halfClose);
}

function finish(response: Http2ServerResponse, { responseHeader, responseTrailer }: PushedCall, end: PushedEnd): void {
  const { stream } = response;
  if (stream === undefined || stream.destroyed) return;
  setTrailerStatus(responseTrailer, errorOf(end));
  if (!response.headersSent) response.writeHead(200, Object.fromEntries(responseHeader));
  response.addTrailers(Object.fromEntries(responseTrailer));
  // What the caller still sends is read off and dropped until it has heard of the end.
  stream.removeAllListeners("data");
  stream.resume();
  response.end();
}

function headersOf({ headers }: Http2ServerRequest): Headers {
  const made = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(":") || value === undefined) continue;
    for (const each of Array.isArray(value) ? value : [value]) made.append(name, each);
  }
  return made;
}
