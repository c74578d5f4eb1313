/** What spans and measurements calls leave behind, and what a `traceparent` of a client becomes. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { Code, ConnectError, type ConnectRouter, createClient, createRouterTransport } from "@connectrpc/connect";
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { CoordinatorService, StateService } from "@ridegrid/contracts";
import { createSequentialIds, createTestContext, type SeenSpan, startTestTracing, type TestContext, type TestTracing } from "@ridegrid/testing";
import { createCallMetrics } from "./call-metrics.ts";
import { edgeTracing } from "./call-tracing.ts";
import { asService, onBehalfOf } from "./caller.ts";
import { h2cTransport, listenInternal } from "./h2c.ts";
import { createInMemoryTransport } from "./in-memory.ts";
import { layerInterceptor } from "./layer-interceptor.ts";
import { apiError } from "./refusal-error.ts";

const rideId = "0199c0de-0000-7000-8000-000000000001";
const traceId = "0123456789abcdef0123456789abcdef";
const traceparent = `00-${traceId}-0123456789abcdef-01`;
const getRide = "ridegrid.mesh.v1.CoordinatorService/GetRide";

let tracing: TestTracing;
/** Its own tracer is off. */
let measured: TestContext;

beforeAll(async () => {
  tracing = await startTestTracing();
});
afterAll(() => tracing.shutdown());
beforeEach(() => {
  measured = createTestContext();
});

function transport(routes: (router: ConnectRouter) => void) {
  return createInMemoryTransport(routes, { telemetry: { tracer: tracing.tracer, calls: createCallMetrics(measured.meter) } });
}

function traced(header: string = traceparent) {
  const { headers, ...rest } = asService("test");
  return { ...rest, headers: { ...Object.fromEntries(new Headers(headers)), traceparent: header } };
}

/** Spans that ended since `before`. */
async function spansSince(before: number): Promise<readonly SeenSpan[]> {
  await tracing.flush();
  return tracing.spans().slice(before);
}

describe("a call between services", () => {
  test("is a client span in its caller's trace and a server span inside, which the handler speaks for", async () => {
    let seenByHandler: string | null = null;
    let passedOn: string | null = null;
    const client = createClient(
      CoordinatorService,
      transport((router) =>
        router.service(CoordinatorService, {
          getRide: (_, context) => {
            seenByHandler = context.requestHeader.get("traceparent");
            passedOn = new Headers(onBehalfOf(context).headers).get("traceparent");
            return {};
          },
        }),
      ),
    );
    const before = tracing.spans().length;
    await client.getRide({ rideId }, traced());
    const [server, caller] = await spansSince(before);
    expect(caller).toMatchObject({ name: getRide, kind: SpanKind.CLIENT, traceId, parentSpanId: "0123456789abcdef" });
    expect(server).toMatchObject({ name: getRide, kind: SpanKind.SERVER, traceId, parentSpanId: caller?.spanId });
    expect(server?.attributes).toEqual({ "rpc.system.name": "connectrpc", "rpc.method": getRide, "rpc.status_code": "ok", "ridegrid.ride_id": rideId });
    expect(`${seenByHandler}`).toBe(`00-${traceId}-${server?.spanId}-01`);
    expect(`${passedOn}`).toBe(`${seenByHandler}`);
  });

  test("keeps its trace between processes too", async () => {
    const reporting = { tracer: tracing.tracer, calls: createCallMetrics(measured.meter) };
    const routes = (router: ConnectRouter): unknown => router.service(CoordinatorService, { getRide: () => ({}) });
    const peer = await listenInternal({ port: 0, routes: (router) => void routes(router), token: "t", telemetry: reporting });
    try {
      const client = createClient(CoordinatorService, h2cTransport({ url: `http://127.0.0.1:${peer.port}`, token: "t", telemetry: reporting }));
      const before = tracing.spans().length;
      await client.getRide({ rideId }, traced());
      const [server, caller] = await spansSince(before);
      expect(caller).toMatchObject({ kind: SpanKind.CLIENT, traceId, parentSpanId: "0123456789abcdef" });
      expect(server).toMatchObject({ kind: SpanKind.SERVER, traceId, parentSpanId: caller?.spanId });
      expect(await measured.metricsText()).toContain(`rpc_server_call_duration_seconds_count{rpc_method="${getRide}",rpc_status_code="ok"} 1`);
    } finally {
      await peer.close();
    }
  });

  test("without a trace makes no span, and is measured", async () => {
    const client = createClient(
      CoordinatorService,
      transport((router) => router.service(CoordinatorService, { getRide: () => ({}) })),
    );
    const before = tracing.spans().length;
    await client.getRide({ rideId }, asService("test"));
    expect(await spansSince(before)).toEqual([]);
    expect(await measured.metricsText()).toContain(`rpc_server_call_duration_seconds_count{rpc_method="${getRide}",rpc_status_code="ok"} 1`);
  });

  test("that is refused says so by code and reason, never by the error's words; only a fault is an error", async () => {
    const errors = [apiError("RIDE_NOT_FOUND", 'Ride "secret" was not found'), new Error("secret")];
    const client = createClient(
      CoordinatorService,
      transport((router) =>
        router.service(CoordinatorService, {
          getRide: () => {
            throw errors.shift();
          },
        }),
      ),
    );
    const before = tracing.spans().length;
    await expect(client.getRide({ rideId }, traced())).rejects.toThrow();
    await expect(client.getRide({ rideId }, traced())).rejects.toThrow();
    const spans = await spansSince(before);
    expect(spans.map(({ attributes }) => attributes["rpc.status_code"])).toEqual(["not_found", "not_found", "internal", "internal"]);
    expect(spans.map(({ status }) => status === SpanStatusCode.ERROR)).toEqual([false, false, true, true]);
    expect(spans[0]?.attributes["ridegrid.reason"]).toBe("RIDE_NOT_FOUND");
    expect(JSON.stringify(spans)).not.toContain("secret");
    expect(await measured.metricsText()).toContain(`rpc_status_code="not_found"} 1`);
  });

  test("that streams is one span from its first message to its last, and counted as open meanwhile", async () => {
    const client = createClient(
      StateService,
      transport((router) =>
        router.service(StateService, {
          async *watchRide() {
            yield {};
            yield {};
          },
        }),
      ),
    );
    const before = tracing.spans().length;
    const open = 'rpc_server_open_streams{rpc_method="ridegrid.mesh.v1.StateService/WatchRide"}';
    let messages = 0;
    for await (const _ of client.watchRide({ region: "ewr", command: { rideId } }, traced())) {
      messages += 1;
      if (messages === 1) expect(await measured.metricsText()).toContain(`${open} 1`);
    }
    expect(messages).toBe(2);
    expect((await spansSince(before)).map(({ kind }) => kind).toSorted()).toEqual([SpanKind.SERVER, SpanKind.CLIENT]);
    expect(await measured.metricsText()).toContain(`${open} 0`);
  });
});

describe("edgeTracing()", () => {
  /** What the handler behind an edge sees when a client sends `header`. */
  async function seenBehindEdge(header: string | undefined, on: boolean): Promise<string> {
    let seen = "";
    const tracer = on ? tracing.tracer : measured.tracer;
    const edge = createRouterTransport(
      (router) =>
        router.service(CoordinatorService, {
          getRide: (_, context) => {
            seen = context.requestHeader.get("traceparent") ?? "";
            return {};
          },
        }),
      { router: { interceptors: [layerInterceptor([edgeTracing({ tracer, ids: createSequentialIds(1), untraced: new Set() })])] } },
    );
    await createClient(CoordinatorService, edge).getRide({ rideId }, header === undefined ? {} : { headers: { traceparent: header } });
    return seen;
  }

  const malformed = [
    ["an empty one", ""],
    ["a long one", "x".repeat(10_000)],
    ["another version's", `01-${traceId}-0123456789abcdef-01`],
    ["one without a trace", `00-${"0".repeat(32)}-0123456789abcdef-01`],
    ["one without a span", `00-${traceId}-${"0".repeat(16)}-01`],
  ] as const;
  test.each(malformed)("lets no malformed traceparent in: %s", async (_, header) => {
    for (const on of [true, false]) {
      const seen = await seenBehindEdge(header, on);
      expect(seen).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);
      expect(seen).not.toContain(traceId);
    }
  });

  test("continues a client's trace while tracing is on, and hands it on as it is while it is off", async () => {
    expect(await seenBehindEdge(traceparent, true)).toMatch(new RegExp(`^00-${traceId}-(?!0123456789abcdef)[0-9a-f]{16}-01$`));
    expect(await seenBehindEdge(traceparent, false)).toBe(traceparent);
  });

  test("begins a trace that nobody records while tracing is off", async () => {
    expect(await seenBehindEdge(undefined, false)).toEndWith("-00");
    expect(await seenBehindEdge(undefined, true)).toEndWith("-01");
  });
});

test("a refusal's code is spelled as on the wire", async () => {
  const client = createClient(
    CoordinatorService,
    transport((router) =>
      router.service(CoordinatorService, {
        getRide: () => {
          throw apiError("RIDE_STATE", "no");
        },
      }),
    ),
  );
  await client
    .getRide({ rideId }, asService("test"))
    .catch((error: unknown) => expect(error instanceof ConnectError && error.code).toBe(Code.FailedPrecondition));
  expect(await measured.metricsText()).toContain('rpc_status_code="failed_precondition"} 1');
});
