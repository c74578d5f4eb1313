/** Layers as the library takes them, all in one interceptor: for what is not plain, for streams, and for servers of its own. */
import type { Interceptor, StreamRequest, UnaryRequest } from "@connectrpc/connect";
import { type CallLayer, type StreamNext, throughLayers, unaryBegins, type UnaryCall } from "./call-layer.ts";
import { Interruption } from "./interruption.ts";

export function layerInterceptor(layers: readonly CallLayer[]): Interceptor {
  const begins = unaryBegins(layers);
  const streams = layers.flatMap(({ stream }) => (stream === undefined ? [] : [stream]));
  return (next) => async (request) => {
    if (request.stream) return streams.reduceRight<StreamNext>((inner, layer) => layer(inner), streamNext(next))(request);
    const interruption = new Interruption(request);
    const { signal } = interruption;
    const { promise, resolve, reject } = Promise.withResolvers<UnaryAnswer>();
    throughLayers(begins, unaryCall(request, interruption), {
      handle: () => next({ ...request, signal }),
      whole: (response: UnaryAnswer) => response,
      answered: resolve,
      failed: reject,
    });
    try {
      return await promise;
    } finally {
      interruption.over();
    }
  };
}

type Next = Parameters<Interceptor>[0];
type UnaryAnswer = Awaited<ReturnType<Next>>;

function streamNext(next: Next): StreamNext {
  return async (request: StreamRequest) => {
    const response = await next(request);
    if (!response.stream) throw new Error(`Cannot stream ${request.method.name}: its answer is one message`);
    return response;
  };
}

function unaryCall({ method, header, message, contextValues }: UnaryRequest, interruption: Interruption): UnaryCall {
  // Only the deadline that its own protocol knows is one.
  const hasDeadline = header.has((header.get("content-type") ?? "").startsWith("application/grpc") ? "grpc-timeout" : "connect-timeout-ms");
  return {
    method,
    header,
    message,
    contextValues,
    hasDeadline,
    lateHeader: (name, value) => header.set(name, value()),
    activeContext: undefined,
    interrupt: (reason) => interruption.interrupt(reason),
    untilInterrupted: (answer, waiting) => interruption.untilInterrupted(answer, waiting),
  };
}
