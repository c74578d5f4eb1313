/** One service mounted twice, with and without the plain path, and a client that sends each the same and compares all it can see. */
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { RiderService } from "@ridegrid/contracts";
import { MoneySchema } from "@ridegrid/contracts/gen/type/v1/money_pb";
import type { Random } from "@ridegrid/domain";
import { Hono } from "hono";
import { admission, edgeGate } from "./admission.ts";
import { unaryDeadline } from "./deadline.ts";
import type { CallLayer } from "./call-layer.ts";
import { endStreams } from "./drain.ts";
import type { EdgeOptions } from "./edge-options.ts";
import { errorMapping } from "./error-mapping.ts";
import { fieldValidation } from "./field-validation.ts";
import { mountConnect } from "./hono-mount.ts";
import { type OddRequest, oddRequest } from "./odd-requests.fixture.ts";
import { plainRequest } from "./plain-unary.ts";
import { apiError } from "./refusal-error.ts";

/** What gate, interceptors and handler saw of a case, in order. */
type Journal = Map<string, string[]>;
type Seen = { readonly status: number; readonly headers: readonly string[]; readonly body: string; readonly journal: readonly string[] };

export type BothPaths = {
  /** @returns how many were plain. @throws showing the first request whose answers differ. */
  compare(random: Random, count: number): Promise<{ readonly plain: number; readonly byStatus: Readonly<Record<number, number>> }>;
  stop(): Promise<void>;
};

const parallel = 16;
const caseHeader = "x-case";

export function serveBothPaths(): BothPaths {
  const plain = serve(true);
  const library = serve(false);
  const limits = optionsOf(new Map(), { record() {} });
  return {
    async compare(random, count) {
      const byStatus: Record<number, number> = {};
      let plainCount = 0;
      const cases = Array.from({ length: count }, (_, index) => ({ id: String(index), request: oddRequest(random) }));
      await Promise.all(
        Array.from({ length: parallel }, async (_, lane) => {
          for (const { id, request } of cases.filter((__, index) => index % parallel === lane)) {
            const [left, right] = await Promise.all([plain.ask(id, request), library.ask(id, request)]);
            if (!Bun.deepEquals(left, right)) throw new Error(difference(id, request, left, right));
            byStatus[left.status] = (byStatus[left.status] ?? 0) + 1;
            if (plainRequest({ method: request.method, headers: sentHeaders(request) }, limits) !== undefined) plainCount++;
          }
        }),
      );
      return { plain: plainCount, byStatus };
    },
    async stop() {
      await Promise.all([plain.server.stop(true), library.server.stop(true)]);
    },
  };
}

function serve(plainCalls: boolean) {
  const journal: Journal = new Map();
  const faults = { record: (id: string | null, line: string) => write(journal, id, line) };
  const app = new Hono();
  const answer = mountConnect(app, (router) => router.service(RiderService, rider(journal)), optionsOf(journal, faults), {
    onFault: ({ error }) => write(journal, null, `fault ${String(error)}`),
    peerAddress: () => "",
    plainCalls,
  });
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answer, maxRequestBodySize: 64 * 1_048_576 });
  return { server, ask: (id: string, request: OddRequest) => ask(server.url, journal, id, request) };
}

async function ask(url: URL, journal: Journal, id: string, { path, method, headers, body, isChunked }: OddRequest): Promise<Seen> {
  const sent = body === undefined ? {} : { body: isChunked ? new Blob([Uint8Array.from(body)]).stream() : Uint8Array.from(body) };
  const response = await fetch(new URL(path, url), { method, headers: { ...headers, [caseHeader]: id }, ...sent });
  const shown = [...response.headers].filter(([name]) => name !== "date").map(([name, value]) => `${name}: ${value}`);
  return { status: response.status, headers: shown.toSorted(), body: await response.text(), journal: journal.get(id) ?? [] };
}

function sentHeaders({ headers, body, isChunked }: OddRequest): Headers {
  const sent = new Headers(headers);
  if (body !== undefined && !isChunked) sent.set("content-length", String(body.byteLength));
  return sent;
}

type Faults = { record(id: string | null, line: string): void };

/** The chain of the edge, with eyes on both ends of it. */
function optionsOf(journal: Journal, faults: Faults): EdgeOptions {
  return {
    gate: edgeGate((context) => {
      write(journal, context.requestHeader.get(caseHeader), `gate ${context.requestMethod} ${new URL(context.url).pathname}`);
      const authorization = context.requestHeader.get("authorization") ?? "";
      if (authorization === "") throw apiError("TOKEN_MISSING", "There is no token");
      if (authorization !== "Bearer rider") throw apiError("ROLE_NOT_ALLOWED", "The token is another's");
      context.responseHeader.set("x-gate", "passed");
      context.requestHeader.set("traceparent", "set by the gate");
    }),
    layers: [
      watching("outside", journal),
      errorMapping(({ error }) => faults.record(null, String(error))),
      admission,
      unaryDeadline(10_000),
      endStreams(new AbortController().signal),
      fieldValidation,
      watching("inside", journal),
    ],
    readMaxBytes: 1_048_576,
  };
}

function watching(place: string, journal: Journal): CallLayer {
  return {
    unary({ header, method, message }) {
      const id = header.get(caseHeader);
      const shown = JSON.stringify(message, (_, value) => (typeof value === "bigint" ? `${value}n` : value));
      write(journal, id, `${place} ${method.name} ${header.get("traceparent")} ${shown}`);
      return (failure) => write(journal, id, `${place} ${failure === undefined ? "ok" : wordsOf(failure.error)}`);
    },
  };
}

function wordsOf(error: unknown): string {
  return error instanceof ConnectError ? `${Code[error.code]}: ${error.rawMessage}` : String(error);
}

function write(journal: Journal, id: string | null, line: string): void {
  const key = id ?? "";
  journal.set(key, [...(journal.get(key) ?? []), line]);
}

/** RequestRide, ListRides and the rest are left out: unimplemented is an answer too. */
function rider(journal: Journal): Partial<ServiceImpl<typeof RiderService>> {
  return {
    async getRide({ rideId, minVersion }, context) {
      context.responseHeader.set("x-echoed", context.requestHeader.get("x-echo") ?? "none");
      context.responseHeader.append("set-cookie", "a=1");
      context.responseHeader.append("set-cookie", "b=2");
      context.responseTrailer.set("x-trailer", "late");
      const timeout = context.timeoutMs();
      write(journal, context.requestHeader.get(caseHeader), `handler ${context.protocolName} ${timeout === undefined} ${context.signal.aborted}`);
      return answerOf(rideId, minVersion);
    },
    quoteFare: ({ seats }) => ({ quote: { quoteId: "q", marketId: "nyc", tripMeters: seats, surgeMultiplier: 1.5 } }),
    cancelRide: async ({ reason }) => ({ ride: { rideId: String(reason) } }),
  };
}

async function answerOf(rideId: string, minVersion: bigint) {
  switch (rideId.at(-1)) {
    case "1":
      throw apiError("RIDE_NOT_FOUND", `Ride "${rideId}" was not found`, { ride_id: rideId });
    case "2":
      throw new Error("a secret");
    case "3":
      throw new ConnectError("with metadata", Code.Aborted, { "x-meta": "data", "content-type": "text/odd" }, [
        { desc: MoneySchema, value: { currency: "USD" } },
      ]);
    case "4":
      await Bun.sleep(1);
      return { ride: { rideId, version: minVersion } };
    case "5":
      // Not a message of the schema: it cannot be encoded.
      return { ride: { rideId, version: 2n ** 80n } };
    case "6":
      return create(RiderService.method.getRide.output);
    case "7":
      throw new DOMException("gave up", "AbortError");
    default:
      return { ride: { rideId, riderId: "r-1 é\u2028", version: minVersion } };
  }
}

function difference(id: string, request: OddRequest, plain: Seen, library: Seen): string {
  const body = request.body === undefined ? undefined : Buffer.from(request.body.slice(0, 2_000)).toString("latin1");
  return `Case ${id} differs:\n${JSON.stringify({ ...request, body }, null, 1)}\nplain:   ${JSON.stringify(plain)}\nlibrary: ${JSON.stringify(library)}`;
}
