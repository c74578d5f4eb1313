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
  /** Tells what the handler promised, or why the call was ended before, whichever comes first. */
  untilInterrupted<T>(answer: Promise<T>, answered: (value: T) => void, failed: (error: unknown) => void): void;
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

/** Who is told, once, how a call went. Neither may throw. */
export type CallOutcome<T> = {
  readonly answered: (answer: T) => void;
  readonly failed: (error: unknown) => void;
};

export type Handler<Given, T> = {
  readonly handle: () => Awaitable<Given>;
  /** Makes the answer of what `handle` gave, inside of the layers too. */
  readonly whole: (given: Given) => T;
};

/**
 * Runs a handler inside of layers: they begin from the first to the last, and end the other way round. Callbacks, for a
 * promise and a wait more cost a small call as much as its gate.
 */
export function throughLayers<Given, T>(begins: readonly CallBegin[], call: UnaryCall, { handle, whole }: Handler<Given, T>, outcome: CallOutcome<T>): void {
  const ends: CallEnd[] = [];
  const fail = (error: unknown): void => outcome.failed(runEnds(ends, { error }, call)?.error);
  const succeed = (given: Given): void => {
    let answer: T;
    try {
      answer = whole(given);
    } catch (error) {
      return fail(error);
    }
    const failure = runEnds(ends, undefined, call);
    if (failure === undefined) outcome.answered(answer);
    else outcome.failed(failure.error);
  };
  let given: Awaitable<Given>;
  try {
    for (const begin of begins) {
      const end = begin(call);
      if (end !== undefined) ends.push(end);
    }
    given = call.activeContext === undefined ? handle() : context.with(call.activeContext, handle);
  } catch (error) {
    return fail(error);
  }
  if (given instanceof Promise) call.untilInterrupted(given, succeed, fail);
  else succeed(given);
}

function runEnds(ends: readonly CallEnd[], begun: Failure | undefined, call: UnaryCall): Failure | undefined {
  let failure = begun;
  for (let index = ends.length - 1; index >= 0; index--) failure = ended(ends[index], failure, call);
  return failure;
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
