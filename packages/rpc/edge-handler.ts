/**
 * A method's handler as the public edge serves it, for every protocol: the body is bounded and read to its end, and a
 * body that cannot be decoded is answered with an ErrorInfo that names its field.
 *
 * The library answers such bodies before any interceptor runs. So a call that never reached the interceptors is made
 * again with an empty message and its refusal in the context, and the normal path answers it.
 */
import { Code, type ConnectError, createContextValues } from "@connectrpc/connect";
import { createAsyncIterable, type UniversalHandler, type UniversalServerRequest, type UniversalServerResponse } from "@connectrpc/connect/protocol";
import { type Admission, admitWith } from "./admission.ts";
import { tooLarge, undecodable, unknownEnum } from "./body-refusal.ts";
import { readBounded } from "./bounded-body.ts";
import { libraryRefusal } from "./library-refusal.ts";
import { edgeBodyBytesMax } from "./limits.ts";
import { withoutLongTimeout } from "./long-timeout.ts";
import { apiError } from "./refusal-error.ts";

export function edgeHandler(handler: UniversalHandler): (request: UniversalServerRequest) => Promise<UniversalServerResponse> {
  const kind = handler.method.methodKind;
  // A client stream has no end to wait for; its messages are bounded one by one.
  if (kind !== "unary" && kind !== "server_streaming") return (request) => handler({ ...request, header: withoutLongTimeout(request.header) });
  return async (received) => {
    const request = { ...received, header: withoutLongTimeout(received.header) };
    const read = await readBody(request);
    if (read === undefined) return refuse(handler, request, { refusal: tooLarge(), passed: undefined });
    const unknown = unknownEnum(handler.method.input, () => jsonText(request, read));
    if (unknown !== undefined) return refuse(handler, request, { refusal: unknown, passed: undefined });
    const state: Admission = { reached: false, passed: undefined, refusal: undefined };
    const response = await handler(withBody(request, read, state));
    // A bare 4xx such as 415 is the library's answer to a request that is none of its protocols.
    if (state.reached || kind !== "unary" || response.body === undefined) return response;
    const { code, response: fallback } = await libraryRefusal(response);
    const refusal = earlyRefusal(code, () => undecodable(handler.method.input, jsonText(request, read)));
    return refuse(handler, request, { refusal, passed: state.passed }, fallback);
  };
}

/** A message that is too large once decompressed, a compression nobody knows; else it did not decode. */
function earlyRefusal(code: Code | undefined, otherwise: () => ConnectError): ConnectError {
  switch (code) {
    case Code.ResourceExhausted:
      return tooLarge();
    case Code.Unimplemented:
      return apiError("UNIMPLEMENTED", "Cannot take the message: it is not one message in a compression this server knows");
    default:
      return otherwise();
  }
}

/** The whole body, or undefined when it is over the limit; a GET has its message in the URL. */
async function readBody(request: UniversalServerRequest): Promise<Uint8Array | undefined> {
  if (request.method === "GET") return new TextEncoder().encode(new URL(request.url).searchParams.get("message") ?? "");
  if (!isBytes(request.body)) throw new Error(`Cannot read the body of ${request.url}: it was parsed already`);
  return readBounded(request.body, edgeBodyBytesMax);
}

function isBytes(body: UniversalServerRequest["body"]): body is AsyncIterable<Uint8Array> {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body;
}

function withBody(request: UniversalServerRequest, body: Uint8Array, state: Admission): UniversalServerRequest {
  const contextValues = admitWith(request.contextValues ?? createContextValues(), state);
  return { ...request, contextValues, body: createAsyncIterable(body.byteLength === 0 ? [] : [body]) };
}

/** `fallback` is the library's own answer, kept when something else before the body ended the call too. */
async function refuse(
  handler: UniversalHandler,
  request: UniversalServerRequest,
  { refusal, passed }: Pick<Admission, "refusal" | "passed">,
  fallback?: UniversalServerResponse,
): Promise<UniversalServerResponse> {
  const state: Admission = { reached: false, passed, refusal };
  const header = new Headers(request.header);
  for (const name of ["content-length", "content-encoding", "connect-content-encoding", "grpc-encoding", "connect-timeout-ms", "grpc-timeout"])
    header.delete(name);
  const response = await handler(withBody({ ...request, header, url: emptyGet(request) }, emptyBody(header.get("content-type") ?? ""), state));
  return state.reached || fallback === undefined ? response : fallback;
}

function emptyGet(request: UniversalServerRequest): string {
  if (request.method !== "GET") return request.url;
  const url = new URL(request.url);
  url.searchParams.set("message", url.searchParams.get("encoding") === "json" ? "{}" : "");
  url.searchParams.delete("base64");
  url.searchParams.delete("compression");
  return url.toString();
}

/** The empty message in the protocol and codec of the content type; gRPC, gRPC-Web and Connect streams have envelopes. */
function emptyBody(contentType: string): Uint8Array {
  const message = new TextEncoder().encode(contentType.includes("json") ? "{}" : "");
  if (!/^application\/(grpc|connect)/.test(contentType)) return message;
  const envelope = new Uint8Array(5 + message.byteLength);
  new DataView(envelope.buffer).setUint32(1, message.byteLength);
  envelope.set(message, 5);
  return envelope;
}

/** The body's JSON, or undefined when it is another codec's or not plain. */
function jsonText(request: UniversalServerRequest, body: Uint8Array): string | undefined {
  if (!isPlainJson(request)) return undefined;
  const text = new TextDecoder().decode(body);
  const base64 = request.method === "GET" && new URL(request.url).searchParams.get("base64") === "1";
  return base64 ? Buffer.from(text, "base64url").toString("utf8") : text;
}

function isPlainJson(request: UniversalServerRequest): boolean {
  if (request.method === "GET") {
    const query = new URL(request.url).searchParams;
    return query.get("encoding") === "json" && (query.get("compression") ?? "identity") === "identity";
  }
  const type = (request.header.get("content-type") ?? "").split(";")[0];
  return type === "application/json" && (request.header.get("content-encoding") ?? "identity") === "identity";
}
