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
import { type Answering, type CallBegin, throughLayers, unaryBegins } from "./call-layer.ts";
import type { EdgeOptions } from "./edge-options.ts";
import type { UnaryImplementation } from "./implementations.ts";
import { edgeBodyBytesMax } from "./limits.ts";
import { PlainCall } from "./plain-call.ts";
import { jsonCodec, type PlainCodec, protoCodec } from "./plain-codec.ts";
import { unmappedError } from "./refusal-error.ts";

/** Undefined when the request is not plain; its body is untouched then. */
export type PlainUnary = (request: Request, values: Values) => Promise<Response> | undefined;
type Values = (request: Request) => ContextValues;

/** `thrown` answers what went wrong outside of the call: most often a caller that left while its body was read. */
export function plainUnary(implementation: UnaryImplementation, options: EdgeOptions, thrown: (error: unknown) => Response): PlainUnary {
  const { method } = implementation;
  const shared = { implementation, options, thrown, begins: unaryBegins(options.layers), empty: create(method.input) };
  const json = { ...shared, codec: jsonCodec(method, options.jsonOptions) };
  const proto = { ...shared, codec: protoCodec(method) };
  return (request, values) => {
    const plain = plainRequest(request, options);
    if (plain === undefined) return undefined;
    const { contentType, timeoutMs } = plain;
    return contentType === contentTypeUnaryProto ? answer(proto, request, { values, timeoutMs }) : answer(json, request, { values, timeoutMs });
  };
}

type Method<Body> = {
  readonly implementation: UnaryImplementation;
  readonly options: EdgeOptions;
  readonly thrown: (error: unknown) => Response;
  readonly begins: readonly CallBegin[];
  readonly empty: Message;
  readonly codec: PlainCodec<Body>;
};

type PlainRequest = { readonly contentType: string; readonly timeoutMs: number | undefined };

/** Undefined for a length that is missing, a coding, another protocol version, a timeout that is none: the library knows what to say. */
export function plainRequest(
  { method, headers }: Pick<Request, "method" | "headers">,
  { readMaxBytes }: Pick<EdgeOptions, "readMaxBytes">,
): PlainRequest | undefined {
  if (method !== "POST") return undefined;
  const contentType = headers.get("content-type");
  if (contentType !== contentTypeUnaryJson && contentType !== contentTypeUnaryProto) return undefined;
  const length = headers.get("content-length");
  if (length === null || !(Number(length) <= Math.min(edgeBodyBytesMax, readMaxBytes))) return undefined;
  if (headers.has("content-encoding")) return undefined;
  const version = headers.get("connect-protocol-version");
  if (version !== null && version !== "1") return undefined;
  const timeout = headers.get("connect-timeout-ms");
  if (timeout === null) return { contentType, timeoutMs: undefined };
  return /^[1-9]\d{0,8}$/.test(timeout) ? { contentType, timeoutMs: Number(timeout) } : undefined;
}

type Start = { readonly values: Values; readonly timeoutMs: number | undefined };

function answer<Body>(method: Method<Body>, request: Request, start: Start): Promise<Response> {
  return new Promise((resolve) => {
    const fault = (error: unknown): void => resolve(faulted(method, error));
    // What a call needs is made once its body is there, so that it is still near the processor when it is used.
    method.codec.read(request).then((body) => new PlainAnswering(method, startCall(method, request, start), { resolve, fault }).take(body), fault);
  });
}

/** A promise, so that a log that fails in turn is a fault of the request and not of the process. */
async function faulted<Body>({ thrown }: Method<Body>, error: unknown): Promise<Response> {
  return thrown(error);
}

function startCall<Body>({ implementation, empty, codec }: Method<Body>, request: Request, { values, timeoutMs }: Start): PlainCall {
  return new PlainCall(request, implementation.method, values(request), { timeoutMs, message: empty, responseHeader: codec.responseHeader });
}

/** `fault` is told what went wrong outside of the call. */
type Outcome = { readonly resolve: (response: Response) => void; readonly fault: (error: unknown) => void };

/** One promise for the whole call, and an object that is told whatever it waits for, as in the layers. */
class PlainAnswering<Body> implements Answering<MessageInitShape<DescMessage>, Message> {
  readonly #method: Method<Body>;
  readonly #call: PlainCall;
  readonly #outcome: Outcome;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(method: Method<Body>, call: PlainCall, outcome: Outcome) {
    this.#method = method;
    this.#call = call;
    this.#outcome = outcome;
  }

  take(body: Body): void {
    const call = this.#call;
    const timeoutMs = call.timeoutMs();
    if (timeoutMs !== undefined) this.#timer = setTimeout(() => call.interrupt(timedOut()), timeoutMs);
    let gated: Awaitable<void>;
    try {
      gated = this.#method.options.gate?.(call);
    } catch (error) {
      return this.failed(error);
    }
    if (gated instanceof Promise) {
      gated.then(
        () => this.#admit(body),
        (error: unknown) => this.failed(error),
      );
    } else this.#admit(body);
  }

  /** The gate comes before the body is decoded, as in the library: who may not call costs no more than that. */
  #admit(body: Body): void {
    const call = this.#call;
    try {
      const message = this.#method.codec.decode(body);
      if (message instanceof ConnectError) admitWith(call.values, { reached: false, passed: call, refusal: message });
      else call.message = message;
    } catch (error) {
      return this.failed(error);
    }
    throughLayers(this.#method.begins, call, this);
  }

  handle(): Awaitable<MessageInitShape<DescMessage>> {
    return this.#method.implementation.impl(this.#call.message, this.#call);
  }

  /** A handler may leave out the rest of its message. */
  whole(given: MessageInitShape<DescMessage>): Message {
    return create(this.#method.implementation.method.output, given);
  }

  answered(output: Message): void {
    let response: Response;
    try {
      response = respond(this.#call, 200, this.#method.codec.encode(output));
    } catch (error) {
      return this.failed(error);
    }
    this.#end(response);
  }

  failed(error: unknown): void {
    try {
      this.#end(failure(this.#call, unmappedError(error), this.#method.options), error);
    } catch (fault) {
      this.#outcome.fault(fault);
    }
  }

  #end(response: Response, reason?: unknown): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#call.over(reason);
    this.#outcome.resolve(response);
  }
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
