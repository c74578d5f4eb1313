/**
 * The plain unary call, which is nearly every call: a Connect POST of JSON or protobuf, not compressed, its size known.
 *
 * Gate, layers and implementation are the very ones that the library's handler runs, in its order. What is not plain by
 * its headers is refused before anything is read, and is the library's.
 */
import { create, type DescMessage, type Message, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type ContextValues } from "@connectrpc/connect";
import { mergeNonProtocolHeaders } from "@connectrpc/connect/protocol";
import { codeToHttpStatus, contentTypeUnaryJson, contentTypeUnaryProto, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { admitWith } from "./admission.ts";
import type { Awaitable } from "./awaitable.ts";
import { type CallBegin, type CallOutcome, throughLayers, unaryBegins } from "./call-layer.ts";
import type { EdgeOptions } from "./edge-options.ts";
import type { UnaryImplementation } from "./implementations.ts";
import { edgeBodyBytesMax } from "./limits.ts";
import { PlainCall } from "./plain-call.ts";
import { jsonCodec, type PlainCodec, protoCodec } from "./plain-codec.ts";

/** Undefined when the request is not plain; its body is untouched then. */
export type PlainUnary = (request: Request, values: (request: Request) => ContextValues) => Promise<Response> | undefined;

/** `thrown` answers what went wrong outside of the call: most often a caller that left while its body was read. */
export function plainUnary(implementation: UnaryImplementation, options: EdgeOptions, thrown: (error: unknown) => Response): PlainUnary {
  const { method } = implementation;
  const whole = (given: MessageInitShape<DescMessage>): Message => create(method.output, given);
  const shared = { implementation, options, thrown, begins: unaryBegins(options.layers), empty: create(method.input), whole };
  const json = { ...shared, codec: jsonCodec(method, options.jsonOptions) };
  const proto = { ...shared, codec: protoCodec(method) };
  return (request, values) => {
    if (!isPlain(request, options)) return undefined;
    return request.headers.get("content-type") === contentTypeUnaryProto ? answer(proto, request, values(request)) : answer(json, request, values(request));
  };
}

type Method<Body> = {
  readonly implementation: UnaryImplementation;
  readonly options: EdgeOptions;
  readonly thrown: (error: unknown) => Response;
  readonly begins: readonly CallBegin[];
  readonly empty: Message;
  /** What a handler gives as a message: its library lets it leave out the rest. */
  readonly whole: (given: MessageInitShape<DescMessage>) => Message;
  readonly codec: PlainCodec<Body>;
};

/** A length that is missing, a coding, another protocol version, a timeout that is none: the library knows what to say. */
export function isPlain({ method, headers }: Pick<Request, "method" | "headers">, { readMaxBytes }: Pick<EdgeOptions, "readMaxBytes">): boolean {
  if (method !== "POST") return false;
  const contentType = headers.get("content-type");
  if (contentType !== contentTypeUnaryJson && contentType !== contentTypeUnaryProto) return false;
  const length = headers.get("content-length");
  if (length === null || !(Number(length) <= Math.min(edgeBodyBytesMax, readMaxBytes))) return false;
  if (headers.has("content-encoding")) return false;
  const version = headers.get("connect-protocol-version");
  if (version !== null && version !== "1") return false;
  const timeout = headers.get("connect-timeout-ms");
  return timeout === null || /^[1-9]\d{0,8}$/.test(timeout);
}

/** One promise for the whole call: what waits in it is told by callbacks, as in the layers. */
function answer<Body>(method: Method<Body>, request: Request, values: ContextValues): Promise<Response> {
  return new Promise((resolve) => {
    const failed = (error: unknown): void => resolve(faulted(method, error));
    method.codec.read(request).then((body) => answerBody(method, body, startCall(method, request, values), { answered: resolve, failed }), failed);
  });
}

/** A promise, so that a log that fails in turn is a fault of the request and not of the process. */
async function faulted<Body>({ thrown }: Method<Body>, error: unknown): Promise<Response> {
  return thrown(error);
}

function startCall<Body>({ implementation, empty, codec }: Method<Body>, request: Request, values: ContextValues): PlainCall {
  const timeout = request.headers.get("connect-timeout-ms");
  const timeoutMs = timeout === null ? undefined : Number(timeout);
  return new PlainCall(request, implementation.method, values, { timeoutMs, message: empty, responseHeader: codec.responseHeader });
}

function answerBody<Body>({ implementation, options, begins, whole, codec }: Method<Body>, body: Body, call: PlainCall, outcome: CallOutcome<Response>): void {
  const timeoutMs = call.timeoutMs();
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => call.interrupt(timedOut()), timeoutMs);
  const end = (response: Response, reason?: unknown): void => {
    if (timer !== undefined) clearTimeout(timer);
    call.over(reason);
    outcome.answered(response);
  };
  const failed = (error: unknown): void => {
    try {
      end(failure(call, connectError(error), options), error);
    } catch (fault) {
      outcome.failed(fault);
    }
  };
  const answered = (output: Message): void => {
    let response: Response;
    try {
      response = respond(call, 200, codec.encode(output));
    } catch (error) {
      return failed(error);
    }
    end(response);
  };
  // The gate comes before the body is decoded, as in the library: who may not call costs no more than that.
  const admitted = (): void => {
    try {
      const message = codec.decode(body);
      if (message instanceof ConnectError) admitWith(call.values, { reached: false, passed: call, refusal: message });
      else call.message = message;
    } catch (error) {
      return failed(error);
    }
    throughLayers(begins, call, { handle: () => implementation.impl(call.message, call), whole }, { answered, failed });
  };
  let gated: Awaitable<void>;
  try {
    gated = options.gate?.(call);
  } catch (error) {
    return failed(error);
  }
  if (gated instanceof Promise) gated.then(admitted, failed);
  else admitted();
}

function connectError(error: unknown): ConnectError {
  return error instanceof ConnectError ? error : new ConnectError("internal error", Code.Internal, undefined, undefined, error);
}

function timedOut(): ConnectError {
  return new ConnectError("the operation timed out", Code.DeadlineExceeded);
}

function failure(call: PlainCall, error: ConnectError, { jsonOptions }: EdgeOptions): Response {
  const { responseHeader } = call;
  responseHeader.set("content-type", contentTypeUnaryJson);
  // An error that another server made keeps its headers to itself.
  if (!("isWireError" in error && error.isWireError === true)) mergeNonProtocolHeaders(responseHeader, error.metadata);
  return respond(call, codeToHttpStatus(error.code), Uint8Array.from(errorToJsonBytes(error, jsonOptions)));
}

/** Connect's unary trailers are headers with a prefix. */
function respond({ responseHeader, trailers }: PlainCall, status: number, body: string | Uint8Array<ArrayBuffer>): Response {
  trailers?.forEach((value, name) => responseHeader.append(`trailer-${name}`, value));
  return new Response(body, { status, headers: responseHeader });
}
