/**
 * A method's handler as the public edge serves it, for every protocol: the body is bounded and read to its end, and a
 * body that cannot be decoded is answered with an ErrorInfo that names its field.
 *
 * The library answers such bodies before any interceptor runs. So a call that never reached the interceptors is made
 * again with an empty message and its refusal in the context, and the normal path answers it.
 */
import type { DescMessage } from "@bufbuild/protobuf";
import { type ConnectError, createContextKey, createContextValues, type Interceptor } from "@connectrpc/connect";
import { createAsyncIterable, type UniversalHandler, type UniversalServerRequest, type UniversalServerResponse } from "@connectrpc/connect/protocol";
import { readBounded } from "./bounded-body.ts";
import { edgeBodyBytesMax } from "./limits.ts";
import { apiError } from "./refusal-error.ts";
import { holdsEnums, undecodableField } from "./undecodable-field.ts";

type Admission = { reached: boolean; readonly refusal: ConnectError | undefined };
const admissionKey = createContextKey<Admission | undefined>(undefined, { description: "edge admission" });

/** The first of the edge's interceptors: marks that a call arrived, or ends it with the refusal it came with. */
export function admission(): Interceptor {
  return (next) => (request) => {
    const state = request.contextValues.get(admissionKey);
    if (state !== undefined) state.reached = true;
    if (state?.refusal !== undefined) throw state.refusal;
    return next(request);
  };
}

export function edgeHandler(handler: UniversalHandler): (request: UniversalServerRequest) => Promise<UniversalServerResponse> {
  const kind = handler.method.methodKind;
  // A client stream has no end to wait for; its messages are bounded one by one.
  if (kind !== "unary" && kind !== "server_streaming") return (request) => handler(request);
  return async (request) => {
    const read = await readBody(request);
    if (read === undefined) return refuse(handler, request, tooLarge());
    const refusal = unknownEnum(handler, request, read);
    if (refusal !== undefined) return refuse(handler, request, refusal);
    const state: Admission = { reached: false, refusal: undefined };
    const response = await handler(withBody(request, read, state));
    // A bare 4xx such as 415 is the library's answer to a request that is none of its protocols.
    if (state.reached || kind !== "unary" || response.body === undefined || isDenied(response)) return response;
    return refuse(handler, request, undecodable(handler.method.input, request, read), response);
  };
}

/** The gate's answer comes before the interceptors too, and is not about the body. */
function isDenied({ status }: UniversalServerResponse): boolean {
  return status === 401 || status === 403;
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
  const contextValues = request.contextValues ?? createContextValues();
  contextValues.set(admissionKey, state);
  return { ...request, contextValues, body: createAsyncIterable(body.byteLength === 0 ? [] : [body]) };
}

/** `fallback` is the library's own answer, kept when authentication or something else before the body ended the call too. */
async function refuse(
  handler: UniversalHandler,
  request: UniversalServerRequest,
  refusal: ConnectError,
  fallback?: UniversalServerResponse,
): Promise<UniversalServerResponse> {
  const state: Admission = { reached: false, refusal };
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

function tooLarge(): ConnectError {
  return apiError("TOO_LARGE", `Cannot take the message: it is larger than ${edgeBodyBytesMax} bytes`, { max_bytes: String(edgeBodyBytesMax) });
}

/** An enum value that does not exist is passed over by the decoder, and a reason that was given would be lost. */
function unknownEnum(handler: UniversalHandler, request: UniversalServerRequest, body: Uint8Array): ConnectError | undefined {
  if (!holdsEnums(handler.method.input) || !isPlainJson(request)) return undefined;
  const found = describeJson(handler.method.input, body, request);
  return found === undefined || found.field === "body" ? undefined : fieldInvalid(found.field, found.problem);
}

function undecodable(schema: DescMessage, request: UniversalServerRequest, body: Uint8Array): ConnectError {
  const found = isPlainJson(request) ? describeJson(schema, body, request) : undefined;
  return fieldInvalid(found?.field ?? "body", found?.problem ?? "it does not decode, or its headers do not describe it");
}

function fieldInvalid(field: string, problem: string): ConnectError {
  return apiError("FIELD_INVALID", `Cannot decode the message: "${field}": ${problem}`, { field });
}

function describeJson(schema: DescMessage, body: Uint8Array, request: UniversalServerRequest): ReturnType<typeof undecodableField> {
  const text = jsonText(body, request);
  try {
    return undecodableField(schema, JSON.parse(text));
  } catch (error) {
    return { field: "body", problem: error instanceof Error ? error.message : String(error) };
  }
}

function isPlainJson(request: UniversalServerRequest): boolean {
  if (request.method === "GET") {
    const query = new URL(request.url).searchParams;
    return query.get("encoding") === "json" && (query.get("compression") ?? "identity") === "identity";
  }
  const type = (request.header.get("content-type") ?? "").split(";")[0];
  return type === "application/json" && (request.header.get("content-encoding") ?? "identity") === "identity";
}

function jsonText(body: Uint8Array, request: UniversalServerRequest): string {
  const text = new TextDecoder().decode(body);
  const base64 = request.method === "GET" && new URL(request.url).searchParams.get("base64") === "1";
  return base64 ? Buffer.from(text, "base64url").toString("utf8") : text;
}
