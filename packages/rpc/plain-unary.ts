/**
 * The plain unary call, which is nearly every call: a Connect POST of JSON or protobuf, not compressed, its size known.
 *
 * Gate, interceptors, implementation and codecs are the very ones that the library's handler runs, in its order. What is
 * not plain by its headers is refused before anything is read, and is the library's.
 */
import { create, type DescMessage, type Message } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouterOptions, type ContextValues } from "@connectrpc/connect";
import {
  createMethodSerializationLookup,
  invokeUnaryImplementation,
  mergeNonProtocolHeaders,
  type MethodSerializationLookup,
  validateUniversalHandlerOptions,
} from "@connectrpc/connect/protocol";
import { codeToHttpStatus, contentTypeUnaryJson, contentTypeUnaryProto, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { admitWith } from "./admission.ts";
import { undecodable, unknownEnum } from "./body-refusal.ts";
import type { UnaryImplementation } from "./implementations.ts";
import { edgeBodyBytesMax } from "./limits.ts";
import { beginPlainCall, type PlainCall } from "./plain-call.ts";

/** Undefined when the request is not plain; its body is untouched then. */
export type PlainUnary = (request: Request, values: ContextValues) => Promise<Response> | undefined;

type Method = {
  readonly implementation: UnaryImplementation;
  readonly options: ReturnType<typeof validateUniversalHandlerOptions>;
  readonly codecs: MethodSerializationLookup<DescMessage, DescMessage>;
};

export function plainUnary(implementation: UnaryImplementation, routerOptions: ConnectRouterOptions): PlainUnary {
  const options = validateUniversalHandlerOptions(routerOptions);
  const codecs = createMethodSerializationLookup(implementation.method, options.binaryOptions, options.jsonOptions, options);
  const method: Method = { implementation, options, codecs };
  return (request, values) => (isPlain(request, options) ? answer(method, request, values) : undefined);
}

/** A length that is missing, a coding, another protocol version, a timeout that is none: the library knows what to say. */
export function isPlain({ method, headers }: Pick<Request, "method" | "headers">, options: Method["options"]): boolean {
  if (method !== "POST") return false;
  const contentType = headers.get("content-type");
  if (contentType !== contentTypeUnaryJson && contentType !== contentTypeUnaryProto) return false;
  const length = headers.get("content-length");
  if (length === null || !(Number(length) <= Math.min(edgeBodyBytesMax, options.readMaxBytes))) return false;
  if (headers.has("content-encoding") || (options.acceptCompression.length > 0 && headers.has("accept-encoding"))) return false;
  const version = headers.get("connect-protocol-version");
  if (version === null ? options.requireConnectProtocolHeader : version !== "1") return false;
  const timeout = headers.get("connect-timeout-ms");
  return timeout === null || (/^[1-9]\d{0,8}$/.test(timeout) && Number(timeout) <= options.maxTimeoutMs);
}

async function answer(method: Method, request: Request, values: ContextValues): Promise<Response> {
  const contentType = request.headers.get("content-type") ?? "";
  const timeout = request.headers.get("connect-timeout-ms");
  const body = await request.bytes();
  const { implementation, options } = method;
  const call = beginPlainCall({
    request,
    values,
    implementation,
    contentType,
    timeoutMs: timeout === null ? undefined : Number(timeout),
    shutdownSignal: options.shutdownSignal,
  });
  try {
    return respond(call, 200, await invoke(method, call, body, contentType === contentTypeUnaryProto));
  } catch (error) {
    call.end(error);
    return failure(call, error instanceof ConnectError ? error : new ConnectError("internal error", Code.Internal, undefined, undefined, error), options);
  } finally {
    call.end();
  }
}

async function invoke({ implementation, options, codecs }: Method, { context }: PlainCall, body: Uint8Array, isBinary: boolean): Promise<Uint8Array> {
  // The gate comes before the body is decoded, as in the library: who may not call costs no more than that.
  if (options.requestGate !== undefined) await options.requestGate(context);
  const { input } = implementation.method;
  const decoded = decode(codecs, input, body, isBinary);
  if (decoded instanceof ConnectError) admitWith(context.values, { reached: false, passed: context, refusal: decoded });
  const message = decoded instanceof ConnectError ? create(input) : decoded;
  const output = await invokeUnaryImplementation(implementation, context, message, options.interceptors);
  return codecs.getO(isBinary).serialize(output);
}

function decode(codecs: Method["codecs"], input: DescMessage, body: Uint8Array, isBinary: boolean): Message | ConnectError {
  const json = (): string | undefined => (isBinary ? undefined : new TextDecoder().decode(body));
  const refusal = isBinary ? undefined : unknownEnum(input, json);
  if (refusal !== undefined) return refusal;
  try {
    return codecs.getI(isBinary).parse(body);
  } catch {
    return undecodable(input, json());
  }
}

function failure(call: PlainCall, error: ConnectError, options: Method["options"]): Response {
  const { responseHeader } = call.context;
  responseHeader.set("content-type", contentTypeUnaryJson);
  // An error that another server made keeps its headers to itself.
  if (!("isWireError" in error && error.isWireError === true)) mergeNonProtocolHeaders(responseHeader, error.metadata);
  return respond(call, codeToHttpStatus(error.code), errorToJsonBytes(error, options.jsonOptions));
}

/** Connect's unary trailers are headers with a prefix. */
function respond({ context }: PlainCall, status: number, body: Uint8Array): Response {
  const { responseHeader, responseTrailer } = context;
  responseTrailer.forEach((value, name) => responseHeader.append(`trailer-${name}`, value));
  return new Response(new Uint8Array(body), { status, headers: responseHeader });
}
