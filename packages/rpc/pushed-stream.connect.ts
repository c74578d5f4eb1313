/** Pushed streams over Connect, on Bun's fetch server: what is sent waits for the reader's pull, and a last message says how the stream ended. */
import { Code, ConnectError, type ConnectRouterOptions, type ContextValues } from "@connectrpc/connect";
import { contentTypeStreamProto, endStreamFlag, endStreamToJson } from "@connectrpc/connect/protocol-connect";
import { createEnvelopeReader, envelope } from "./envelope-reader.ts";
import {
  beginPushedCall,
  errorOf,
  isPlainStream,
  type Peer,
  type PushedCall,
  type PushedEnd,
  type PushedMethod,
  type PushedStream,
  runPushedCall,
} from "./pushed-stream.ts";

/** Undefined when the library has to answer it; its body is untouched then. */
export type PushedConnect = (request: Request, contextValues: ContextValues) => Promise<Response> | undefined;

export function pushedConnect(pushed: PushedMethod, options: ConnectRouterOptions): PushedConnect {
  return (request, contextValues) => {
    const { headers } = request;
    if (request.method !== "POST" || request.body === null || headers.get("content-type") !== contentTypeStreamProto) return undefined;
    if ((headers.get("connect-protocol-version") ?? "1") !== "1" || !isPlainStream(headers)) return undefined;
    const call = beginPushedCall(pushed, options, {
      protocolName: "connect",
      url: request.url,
      requestHeader: new Headers(headers),
      contentType: contentTypeStreamProto,
      contextValues,
    });
    request.signal.addEventListener("abort", () => call.abort(new ConnectError("The caller went away", Code.Canceled)), { once: true });
    return serve(pushed, options, request.body, call);
  };
}

async function serve(pushed: PushedMethod, options: ConnectRouterOptions, body: ReadableStream<Uint8Array>, call: PushedCall): Promise<Response> {
  const { responseHeader: headers } = call;
  try {
    await options.requestGate?.(call);
  } catch (error) {
    call.abort();
    return new Response(lastMessage(call, { error }), { headers });
  }
  const out = createOutgoing();
  const reader = createIncoming(body);
  const peer: Peer = { send: (message) => out.send(envelope(message)), resume: () => reader.resume() };
  const opened = (stream: PushedStream): void => {
    out.onPull = () => stream.drained();
    out.onCancel = () => stream.leave();
    void reader.readInto(stream);
  };
  const finish = (end: PushedEnd): void => {
    out.close(lastMessage(call, end));
    reader.cancel();
  };
  void runPushedCall(pushed, call, { interceptors: options.interceptors, peer, opened }).then(finish);
  return new Response(out.body, { headers });
}

type Outgoing = {
  readonly body: ReadableStream<Uint8Array>;
  onPull: () => void;
  onCancel: () => void;
  send(bytes: Uint8Array): boolean;
  close(last: Uint8Array): void;
};

function createOutgoing(): Outgoing {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  let open = true;
  let full = false;
  const out: Outgoing = {
    onPull: () => {},
    onCancel: () => {},
    body: new ReadableStream<Uint8Array>({
      start: (given) => void (controller = given),
      // Asked for more after each message: only whoever was told to wait has to hear of it.
      pull() {
        const waited = full;
        full = false;
        if (waited) out.onPull();
      },
      cancel() {
        open = false;
        out.onCancel();
      },
    }),
    send(bytes) {
      if (!open || controller === undefined) return false;
      controller.enqueue(bytes);
      full = (controller.desiredSize ?? 0) <= 0;
      return !full;
    },
    close(last) {
      if (!open || controller === undefined) return;
      open = false;
      controller.enqueue(last);
      controller.close();
    },
  };
  return out;
}

function createIncoming(body: ReadableStream<Uint8Array>) {
  const reader = body.getReader();
  let wake: (() => void) | undefined;
  let canceled = false;

  async function readInto(stream: PushedStream): Promise<void> {
    const envelopes = createEnvelopeReader();
    const take = (bytes: Uint8Array, from: number, to: number): void => stream.take(bytes, from, to);
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (canceled) return;
        if (done) break;
        envelopes.read(value, take);
        if (!stream.taken()) await new Promise<void>((resolve) => (wake = resolve));
      }
      envelopes.end();
      stream.halfClose();
    } catch (error) {
      stream.fail(error);
      stream.taken();
    }
  }

  return {
    readInto,
    resume: () => wake?.(),
    cancel() {
      canceled = true;
      wake?.();
      void reader.cancel().catch(() => {});
    },
  };
}

function lastMessage({ responseTrailer }: PushedCall, end: PushedEnd): Uint8Array {
  const json = endStreamToJson(responseTrailer, errorOf(end), undefined);
  return envelope(new TextEncoder().encode(JSON.stringify(json)), endStreamFlag);
}
