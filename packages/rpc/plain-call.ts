/**
 * One plain call while it is answered: the library's handler context, made with one signal in place of three.
 *
 * The signal ends at the caller's deadline, when the caller leaves, and when the call is over, as the library promises.
 */
import { Code, ConnectError, type ConnectRouterOptions, type ContextValues, type HandlerContext } from "@connectrpc/connect";
import type { UnaryImplementation } from "./implementations.ts";

export type PlainCall = { readonly context: HandlerContext; end(reason?: unknown): void };

export type PlainCallOptions = {
  readonly request: Request;
  readonly values: ContextValues;
  readonly implementation: UnaryImplementation;
  readonly contentType: string;
  readonly timeoutMs: number | undefined;
  readonly shutdownSignal: ConnectRouterOptions["shutdownSignal"];
};

/** A fresh exception would cost as much as the rest of a small call: it would hold a stack that nobody reads. */
const over = new DOMException("The call is over", "AbortError");

export function beginPlainCall({ request, values, implementation, contentType, timeoutMs, shutdownSignal }: PlainCallOptions): PlainCall {
  const controller = new AbortController();
  const sources = shutdownSignal === undefined ? [request.signal] : [request.signal, shutdownSignal];
  const unlink = sources.map((source) => link(source, controller));
  const timer =
    timeoutMs === undefined ? undefined : setTimeout(() => controller.abort(new ConnectError("the operation timed out", Code.DeadlineExceeded)), timeoutMs);
  const deadlineMs = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
  const { method } = implementation;
  return {
    context: {
      method,
      service: method.parent,
      signal: controller.signal,
      timeoutMs: () => (deadlineMs === undefined ? undefined : Math.max(0, Math.ceil(deadlineMs - performance.now()))),
      requestMethod: "POST",
      requestHeader: new Headers(request.headers),
      responseHeader: new Headers({ "content-type": contentType }),
      responseTrailer: new Headers(),
      protocolName: "connect",
      values,
      url: request.url,
    },
    end(reason = over) {
      clearTimeout(timer);
      for (const each of unlink) each();
      controller.abort(reason);
    },
  };
}

function link(source: AbortSignal, controller: AbortController): () => void {
  const onAbort = (): void => controller.abort(source.reason);
  if (source.aborted) onAbort();
  else source.addEventListener("abort", onAbort, { once: true });
  return () => source.removeEventListener("abort", onAbort);
}
