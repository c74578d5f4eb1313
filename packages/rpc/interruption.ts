/**
 * What ends a call before its handler does: a deadline, or a caller that leaves. The answer does not wait for the handler
 * then, whose signal aborts.
 *
 * The signal is made when somebody asks for it, and only then is the caller listened to: for a small call both would cost
 * more than all the rest.
 */
import { ConnectError } from "@connectrpc/connect";
import type { Waiting } from "./call-layer.ts";
import { apiError } from "./refusal-error.ts";

export class Interruption {
  readonly #caller: { readonly signal: AbortSignal };
  #controller: AbortController | undefined;
  #unlisten: (() => void) | undefined;
  #ended: { readonly reason: unknown } | undefined;
  #waiting: Pick<Waiting<unknown>, "fail"> | undefined;

  /** `caller`: has the signal of whoever called, which is looked at when it is needed. */
  constructor(caller: { readonly signal: AbortSignal }) {
    this.#caller = caller;
  }

  /** Aborts when the call is interrupted, and when it is over. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) this.#listen((this.#controller = new AbortController()));
    return this.#controller.signal;
  }

  interrupt(reason: unknown): void {
    if (this.#ended !== undefined) return;
    this.#end(reason);
    this.#waiting?.fail(reason);
  }

  /** Tells what the handler promised, or the reason of an interruption, whichever comes first; once. */
  untilInterrupted<T>(answer: Promise<T>, waiting: Waiting<T>): void {
    if (this.#ended !== undefined) waiting.fail(this.#ended.reason);
    else this.#waiting = waiting;
    answer.then(
      (value) => this.#ended === undefined && waiting.succeed(value),
      (error: unknown) => this.#ended === undefined && waiting.fail(error),
    );
  }

  /** The call is answered: what its handler left behind hears of it. */
  over(reason: unknown = over): void {
    if (this.#ended === undefined) this.#end(reason);
  }

  #end(reason: unknown): void {
    this.#ended = { reason };
    this.#unlisten?.();
    this.#controller?.abort(reason);
  }

  #listen(controller: AbortController): void {
    if (this.#ended !== undefined) return controller.abort(this.#ended.reason);
    const { signal } = this.#caller;
    const onLeft = (): void => this.interrupt(whyLeft(signal.reason));
    if (signal.aborted) return onLeft();
    signal.addEventListener("abort", onLeft, { once: true });
    this.#unlisten = () => signal.removeEventListener("abort", onLeft);
  }
}

/** A caller in this process leaves with any word of its own; that it left is never a fault of the call. */
function whyLeft(reason: unknown): unknown {
  const isKnown = reason instanceof ConnectError || reason instanceof DOMException;
  return isKnown ? reason : apiError("CANCELED", "The caller went away", {}, undefined, reason);
}

/** A fresh exception would cost as much as the rest of a small call: it would hold a stack that nobody reads. */
const over = new DOMException("The call is over", "AbortError");
