/** The service that the official conformance suite calls: each method answers as the request tells it to. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import { ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import {
  BidiStreamRequestSchema,
  ClientStreamRequestSchema,
  ConformancePayload_RequestInfoSchema,
  type ConformancePayloadSchema,
  type ConformanceService,
  type Error as ErrorDefinition,
  type Header,
  IdempotentUnaryRequestSchema,
  ServerStreamRequestSchema,
  type StreamResponseDefinition,
  UnaryRequestSchema,
  type UnaryResponseDefinition,
} from "./gen/connectrpc/conformance/v1/service_pb.ts";

type Payload = MessageInitShape<typeof ConformancePayloadSchema>;

/** `Unimplemented` is left out: that is its answer. */
export const conformanceService: Partial<ServiceImpl<typeof ConformanceService>> = {
  unary: (request, context) => answerOnce(request.responseDefinition, [anyPack(UnaryRequestSchema, request)], context),
  idempotentUnary: (request, context) => answerOnce(request.responseDefinition, [anyPack(IdempotentUnaryRequestSchema, request)], context),
  async clientStream(requests, context) {
    const received = await Array.fromAsync(requests);
    return answerOnce(
      received[0]?.responseDefinition,
      received.map((request) => anyPack(ClientStreamRequestSchema, request)),
      context,
    );
  },
  async *serverStream(request, context) {
    const definition = request.responseDefinition;
    setHeaders(definition, context);
    yield* remaining(definition, 0, [anyPack(ServerStreamRequestSchema, request)], context);
  },
  async *bidiStream(requests, context) {
    let definition: StreamResponseDefinition | undefined;
    let answered = 0;
    let unanswered: Any[] = [];
    for await (const request of requests) {
      if (definition === undefined) setHeaders((definition = request.responseDefinition), context);
      unanswered.push(anyPack(BidiStreamRequestSchema, request));
      if (request.fullDuplex !== true && !isFullDuplex(context)) continue;
      rememberFullDuplex(context);
      const data = definition?.responseData[answered];
      if (data === undefined) break;
      await pause(definition?.responseDelayMs ?? 0, context);
      yield { payload: { data, requestInfo: requestInfo(unanswered, context) } };
      answered++;
      unanswered = [];
    }
    yield* remaining(definition, answered, unanswered, context);
  },
};

/** Only a stream's first message says that it is full duplex. */
const fullDuplex = new WeakSet<HandlerContext>();
const isFullDuplex = (context: HandlerContext): boolean => fullDuplex.has(context);
const rememberFullDuplex = (context: HandlerContext): WeakSet<HandlerContext> => fullDuplex.add(context);

async function answerOnce(definition: UnaryResponseDefinition | undefined, requests: readonly Any[], context: HandlerContext): Promise<{ payload: Payload }> {
  setHeaders(definition, context);
  await pause(definition?.responseDelayMs ?? 0, context);
  const info = requestInfo(requests, context);
  const response = definition?.response;
  if (response?.case === "error") throw toError(response.value, info);
  return { payload: { requestInfo: info, ...(response?.case === "responseData" ? { data: response.value } : {}) } };
}

/** The messages from `answered` on, the first of all with what was asked, then the error. */
async function* remaining(
  definition: StreamResponseDefinition | undefined,
  answered: number,
  requests: readonly Any[],
  context: HandlerContext,
): AsyncIterable<{ payload: Payload }> {
  const data = definition?.responseData ?? [];
  const info = requestInfo(requests, context);
  for (const [index, each] of data.entries()) {
    if (index < answered) continue;
    await pause(definition?.responseDelayMs ?? 0, context);
    yield { payload: { data: each, ...(index === 0 ? { requestInfo: info } : {}) } };
  }
  if (definition?.error !== undefined) throw toError(definition.error, data.length === 0 ? info : undefined);
}

function requestInfo(requests: readonly Any[], context: HandlerContext) {
  const timeoutMs = context.timeoutMs();
  const requestHeaders = [...context.requestHeader].map(([name, value]) => ({ name, value: [value] }));
  return create(ConformancePayload_RequestInfoSchema, {
    requestHeaders,
    requests: [...requests],
    ...(timeoutMs === undefined ? {} : { timeoutMs: BigInt(Math.floor(timeoutMs)) }),
  });
}

function toError({ code, message, details }: ErrorDefinition, info: ReturnType<typeof requestInfo> | undefined): ConnectError {
  const error = new ConnectError(message ?? "", Number(code));
  const all = info === undefined ? details : [...details, anyPack(ConformancePayload_RequestInfoSchema, info)];
  error.details = all.map(({ typeUrl, value }) => ({ type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1), value }));
  return error;
}

type Headed = { readonly responseHeaders: readonly Header[]; readonly responseTrailers: readonly Header[] };

function setHeaders(definition: Headed | undefined, { responseHeader, responseTrailer }: HandlerContext): void {
  for (const { name, value } of definition?.responseHeaders ?? []) for (const each of value) responseHeader.append(name, each);
  for (const { name, value } of definition?.responseTrailers ?? []) for (const each of value) responseTrailer.append(name, each);
}

/** Ends early when the caller leaves or its deadline passes. */
async function pause(delayMs: number, { signal }: HandlerContext): Promise<void> {
  if (delayMs === 0) return;
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, delayMs);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        reject(signal.reason);
      },
      { once: true },
    );
  });
}
