/**
 * One plain call while it is answered: what layers see of it, and the context that its handler gets, in one object.
 *
 * What most handlers never ask for, a signal and trailers, is made when it is asked for. Such a context is passed on, not
 * spread: a spread would make it all.
 */
import type { Message } from "@bufbuild/protobuf";
import type { ContextValues, HandlerContext } from "@connectrpc/connect";
import type { Context } from "@opentelemetry/api";
import type { UnaryCall, Waiting } from "./call-layer.ts";
import type { UnaryImplementation } from "./implementations.ts";
import { Interruption } from "./interruption.ts";

export class PlainCall implements HandlerContext, UnaryCall {
  readonly method: UnaryImplementation["method"];
  readonly service: UnaryImplementation["method"]["parent"];
  readonly protocolName = "connect";
  readonly requestMethod = "POST";
  readonly values: ContextValues;
  readonly responseHeader: Headers;
  /** Set once the body is decoded, before the first layer begins. */
  message: Message;
  activeContext: Context | undefined = undefined;
  readonly #request: Request;
  readonly #headers: Headers;
  #late: { readonly name: string; readonly value: () => string } | undefined;
  readonly #interruption: Interruption;
  readonly #deadlineMs: number | undefined;
  #trailer: Headers | undefined;

  constructor(request: Request, method: UnaryImplementation["method"], values: ContextValues, start: PlainCallStart) {
    this.#request = request;
    this.#headers = request.headers;
    this.#interruption = new Interruption(request);
    this.#deadlineMs = start.timeoutMs === undefined ? undefined : performance.now() + start.timeoutMs;
    this.method = method;
    this.service = method.parent;
    this.values = values;
    this.message = start.message;
    this.responseHeader = new Headers(start.responseHeader);
  }

  get url(): string {
    return this.#request.url;
  }
  /** The request is nobody else's, so its headers are the call's own. */
  get requestHeader(): Headers {
    if (this.#late !== undefined) {
      this.#headers.set(this.#late.name, this.#late.value());
      this.#late = undefined;
    }
    return this.#headers;
  }
  get header(): Headers {
    return this.requestHeader;
  }
  get contextValues(): ContextValues {
    return this.values;
  }
  get hasDeadline(): boolean {
    return this.#deadlineMs !== undefined;
  }
  get signal(): AbortSignal {
    return this.#interruption.signal;
  }
  get responseTrailer(): Headers {
    return (this.#trailer ??= new Headers());
  }
  /** Undefined when nobody set one. */
  get trailers(): Headers | undefined {
    return this.#trailer;
  }

  lateHeader(name: string, value: () => string): void {
    // One is late at a time, and there is but one.
    void this.requestHeader;
    this.#late = { name, value };
  }
  timeoutMs(): number | undefined {
    return this.#deadlineMs === undefined ? undefined : Math.max(0, Math.ceil(this.#deadlineMs - performance.now()));
  }
  interrupt(reason: unknown): void {
    this.#interruption.interrupt(reason);
  }
  untilInterrupted<T>(answer: Promise<T>, waiting: Waiting<T>): void {
    this.#interruption.untilInterrupted(answer, waiting);
  }
  over(reason?: unknown): void {
    this.#interruption.over(reason);
  }
}

export type PlainCallStart = {
  readonly timeoutMs: number | undefined;
  /** The empty one. */
  readonly message: Message;
  readonly responseHeader: Headers;
};
