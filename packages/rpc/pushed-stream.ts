/**
 * A bidirectional stream that is pushed: its messages are handed over as they come and sent as they are made, without an
 * iterator, a promise or a copy for each. For streams that there are thousands of.
 *
 * Gate and interceptors are the very ones of every other call. They wrap the stream's life: they see it open, end it with
 * their error, and hear how it ended. They see none of its messages, which the implementation checks itself.
 */
import type { DescMethodBiDiStreaming } from "@bufbuild/protobuf";
import { type ConnectError, type ConnectRouterOptions, type ContextValues, createHandlerContext, type HandlerContext } from "@connectrpc/connect";
import { transformInvokeImplementation } from "@connectrpc/connect/protocol";
import { unmappedError } from "./refusal-error.ts";

export type PushedMethod = {
  readonly method: DescMethodBiDiStreaming;
  open(context: HandlerContext, peer: Peer): PushedStream;
};

/** The other end, as the implementation sees it. */
export interface Peer {
  /** Sends one encoded message. False: the peer takes no more for now, and `drained` will be called. */
  send(message: Uint8Array): boolean;
  /** Reads on, after `taken` said no. */
  resume(): void;
}

/** The implementation, as the protocol sees it. None of these throws. */
export interface PushedStream {
  /** One encoded message, from `from` to `to` of bytes that are only lent. */
  take(bytes: Uint8Array, from: number, to: number): void;
  /** All that came at once was handed over. False: nothing more is read until the peer's `resume`. */
  taken(): boolean;
  /** The peer sends no more. */
  halfClose(): void;
  /** What came was no message: takes no more, and ends with this error when what was taken is answered. */
  fail(error: unknown): void;
  drained(): void;
  /** Resolves when all is answered; rejects with what ends the stream. */
  readonly ended: Promise<void>;
  /** It is over, whoever ended it: resolves `ended` when nothing else did. */
  leave(): void;
}

export type PushedCallInit = {
  readonly protocolName: string;
  readonly url: string;
  readonly requestHeader: Headers;
  readonly contentType: string;
  readonly contextValues: ContextValues;
};

export type PushedCall = ReturnType<typeof createHandlerContext>;

/** What is thrown by nobody but must be a reason. One for all: it would hold a stack that nobody reads. */
const over = new DOMException("The call is over", "AbortError");

export function beginPushedCall({ method }: PushedMethod, options: ConnectRouterOptions, init: PushedCallInit): PushedCall {
  const { shutdownSignal } = options;
  return createHandlerContext({
    ...init,
    method,
    service: method.parent,
    requestMethod: "POST",
    responseHeader: { "content-type": init.contentType },
    ...(shutdownSignal === undefined ? {} : { shutdownSignal }),
  });
}

export type PushedEnd = { readonly error: unknown } | undefined;

/** Answers how the stream ended, when it has. `opened` is told the implementation's side once every interceptor let it in. */
export async function runPushedCall(
  pushed: PushedMethod,
  call: PushedCall,
  {
    interceptors,
    peer,
    opened,
  }: { readonly interceptors: ConnectRouterOptions["interceptors"]; readonly peer: Peer; readonly opened: (stream: PushedStream) => void },
): Promise<PushedEnd> {
  let stream: PushedStream | undefined;
  // oxlint-disable-next-line require-yield
  async function* life(context: HandlerContext): AsyncGenerator<never> {
    stream = pushed.open(context, peer);
    opened(stream);
    await stream.ended;
  }
  const invoke = transformInvokeImplementation(
    { kind: "bidi_streaming", method: pushed.method, impl: (_, context) => life(context) },
    call,
    interceptors ?? [],
  );
  try {
    for await (const _ of invoke(nothing())) throw new Error(`A pushed stream of ${pushed.method.name} yields no messages`);
    return undefined;
  } catch (error) {
    return { error };
  } finally {
    stream?.leave();
    call.abort(over);
  }
}

/** What the caller is told; undefined when all went well. */
export function errorOf(end: PushedEnd): ConnectError | undefined {
  return end === undefined ? undefined : unmappedError(end.error);
}

/** What interceptors see of the messages. */
async function* nothing(): AsyncGenerator<never> {}

const codings = ["grpc-encoding", "connect-content-encoding"];
const deadlines = ["grpc-timeout", "connect-timeout-ms"];

/** Neither compressed nor with a deadline: such a stream is the library's. */
export function isPlainStream(headers: { get(name: string): string | null | undefined }): boolean {
  return codings.every((name) => (headers.get(name) ?? "identity") === "identity") && deadlines.every((name) => (headers.get(name) ?? "") === "");
}
