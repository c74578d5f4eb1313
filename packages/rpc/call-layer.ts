/**
 * One concern of every call, such as its measurement or its deadline, written once and the same on every path: the plain
 * one runs layers as they are, the library's runs them as one interceptor.
 *
 * A unary call's layer is two plain functions, for a promise in each layer costs a small call more than the layer does.
 */
import type { DescMethodUnary, Message } from "@bufbuild/protobuf";
import type { ContextValues, StreamRequest, StreamResponse } from "@connectrpc/connect";
import { type Context, context } from "@opentelemetry/api";
import type { Awaitable } from "./awaitable.ts";

/** A unary call as layers see it. */
export interface UnaryCall {
  readonly method: DescMethodUnary;
  /** The request's, as the handler will see them. */
  readonly header: Headers;
  readonly message: Message;
  readonly contextValues: ContextValues;
  /** Whether the caller set a deadline, which ends the call without a layer. */
  readonly hasDeadline: boolean;
  /** Gives the request a header, which is made when somebody asks for headers: its handler, most often. */
  lateHeader(name: string, value: () => string): void;
  /** In which the handler runs; tracing sets it. */
  activeContext: Context | undefined;
  /** Ends the call now, whatever its handler does. */
  interrupt(reason: unknown): void;
  /** Tells what the handler promised, or why the call was ended before, whichever comes first; once. */
  untilInterrupted<T>(answer: Promise<T>, waiting: Waiting<T>): void;
}

/** How a call went wrong; none is undefined. */
export type Failure = { readonly error: unknown };
/** After the handler. What it returns takes the failure's place. */
export type CallEnd = (failure: Failure | undefined, call: UnaryCall) => Failure | void;
/** Before the handler. What it throws is the call's failure; what it returns is run once the call has ended. */
export type CallBegin = (call: UnaryCall) => CallEnd | undefined;
export type StreamNext = (request: StreamRequest) => Promise<StreamResponse>;

export type CallLayer = {
  readonly unary?: CallBegin;
  readonly stream?: (next: StreamNext) => StreamNext;
};

/** Who is told how a promise ended. */
export interface Waiting<T> {
  succeed(value: T): void;
  fail(error: unknown): void;
}

/** A call's handler, and who is told, once, how the call went: neither `answered` nor `failed` may throw. */
export interface Answering<Given, T> {
  handle(): Awaitable<Given>;
  /** Makes the answer of what `handle` gave, inside of the layers too. */
  whole(given: Given): T;
  answered(answer: T): void;
  failed(error: unknown): void;
}

/** Runs a handler inside of layers: they begin from the first to the last, and end the other way round. */
export function throughLayers<Given, T>(begins: readonly CallBegin[], call: UnaryCall, answering: Answering<Given, T>): void {
  new LayeredCall(call, answering).run(begins);
}

/** An object that is told, for promises and closures in its place cost a small call as much as its gate. */
class LayeredCall<Given, T> implements Waiting<Given> {
  readonly #ends: CallEnd[] = [];
  readonly #call: UnaryCall;
  readonly #answering: Answering<Given, T>;

  constructor(call: UnaryCall, answering: Answering<Given, T>) {
    this.#call = call;
    this.#answering = answering;
  }

  run(begins: readonly CallBegin[]): void {
    const call = this.#call;
    const answering = this.#answering;
    let given: Awaitable<Given>;
    try {
      for (const begin of begins) {
        const end = begin(call);
        if (end !== undefined) this.#ends.push(end);
      }
      given = call.activeContext === undefined ? answering.handle() : context.with(call.activeContext, () => answering.handle());
    } catch (error) {
      return this.fail(error);
    }
    if (given instanceof Promise) call.untilInterrupted(given, this);
    else this.succeed(given);
  }

  succeed(given: Given): void {
    let answer: T;
    try {
      answer = this.#answering.whole(given);
    } catch (error) {
      return this.fail(error);
    }
    const failure = this.#runEnds(undefined);
    if (failure === undefined) this.#answering.answered(answer);
    else this.#answering.failed(failure.error);
  }

  fail(error: unknown): void {
    this.#answering.failed(this.#runEnds({ error })?.error);
  }

  #runEnds(begun: Failure | undefined): Failure | undefined {
    let failure = begun;
    for (let index = this.#ends.length - 1; index >= 0; index--) failure = ended(this.#ends[index], failure, this.#call);
    return failure;
  }
}

/** A layer that fails at its end does not keep those outside of it from theirs. */
function ended(end: CallEnd | undefined, failure: Failure | undefined, call: UnaryCall): Failure | undefined {
  try {
    return end?.(failure, call) ?? failure;
  } catch (error) {
    return { error };
  }
}

export function unaryBegins(layers: readonly CallLayer[]): readonly CallBegin[] {
  return layers.flatMap(({ unary }) => (unary === undefined ? [] : [unary]));
}
