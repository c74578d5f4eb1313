/**
 * What the edge costs: a plain unary call with every layer on, answered in process, beside the library's own handler and
 * beside raw Hono twice: once with the answer's bytes at hand, once with messages decoded and encoded by protobuf-es.
 */
import { create, fromBinary, fromJson, type JsonValue, toBinary, toJson } from "@bufbuild/protobuf";
import { RiderService } from "@ridegrid/contracts";
import { GetRideRequestSchema, GetRideResponseSchema } from "@ridegrid/contracts/gen/rider/v1/rider_service_pb";
import { createCallMetrics, type EdgeOptions, mountConnect } from "@ridegrid/rpc";
import { createTestContext, type Figure, type HttpLoad, type Measurement, startHttpLoad } from "@ridegrid/testing";
import { Hono } from "hono";
import { createAdmissionControl } from "./admission-control.ts";
import { readableByBrowsers } from "./browsers.ts";
import { createCallLimits } from "./call-limits.ts";
import { edgeOptions } from "./edge-options.ts";
import { ride, rideId } from "./gateway.fixture.ts";
import { httpRoutes } from "./http-routes.ts";
import { createDevelopmentIssuer, type DevelopmentIssuer } from "./identity.development.ts";
import { rememberingIdentity } from "./identity.remembering.ts";
import { listenPublic, type PublicListener } from "./public-listener.ts";

const path = "/ridegrid.rider.v1.RiderService/GetRide";
const rounds = 8;
const load = { connections: 32, callsPerRound: 4_000 };
/**
 * Until the engine has compiled what a call runs: after 6,000 calls the edge took 101 µs of user time a call, after 26,000 between 40 and 58.
 * What h2c runs besides is the server's own.
 */
const warmUpCalls = { "http/1.1": 30_000, h2c: 10_000 } as const;
const answer = create(GetRideResponseSchema, { ride: ride() });
const question = create(GetRideRequestSchema, { rideId });
const bodies = {
  "application/json": JSON.stringify(toJson(GetRideRequestSchema, question)),
  "application/proto": toBinary(GetRideRequestSchema, question),
} as const;

export const figures: readonly Figure[] = [
  {
    name: "edge",
    doc: "GetRide at the public port, every layer on, answered in process; calls per CPU-second of the server, its sockets included",
    run: measureEdge,
  },
];

/** The library's handler comes last: its garbage, and its use of what both paths share, would weigh on an edge that answers nearly all calls by itself. */
async function measureEdge(): Promise<readonly Measurement[]> {
  const context = createTestContext();
  const issuer = await createDevelopmentIssuer({ clock: context.clock });
  const options = allLayers(context, issuer);
  const servers = { edge: serveEdge(options, true), library: serveEdge(options, false), hono: serveHono(sameBytes), honoMessages: serveHono(messages) };
  const requests = plainRequests(await issuer.issue({ role: "rider", subject: "r-1" }));
  const unit = "calls per CPU-second";
  const goal = { atLeast: 0.6 };
  const measured: Measurement[] = [];
  try {
    for (const { name, start } of requests) {
      const [edge = [], hono = [], honoMessages = []] = await samplesInTurn([servers.edge, servers.hono, servers.honoMessages], start);
      measured.push({ what: `edge: ${name}`, unit, samples: edge, peer: { what: "raw Hono", samples: hono }, goal });
      measured.push({ what: `edge: ${name}`, unit, samples: edge, peer: { what: "raw Hono, its messages by protobuf-es", samples: honoMessages }, goal });
    }
    for (const { name, start } of requests) {
      const [library = [], hono = []] = await samplesInTurn([servers.library, servers.hono], start);
      measured.push({ what: `library's handler: ${name}`, unit, samples: library, peer: { what: "raw Hono", samples: hono } });
    }
  } finally {
    await Promise.all(Object.values(servers).map((server) => server.close()));
  }
  return measured;
}

type PlainRequest = { readonly name: string; readonly start: (server: PublicListener) => Promise<HttpLoad> };

function plainRequests(token: string): readonly PlainRequest[] {
  return (["http/1.1", "h2c"] as const).flatMap((protocol) =>
    Object.entries(bodies).map(([contentType, body]) => {
      const headers = { authorization: `Bearer ${token}`, "content-type": contentType, "connect-protocol-version": "1", accept: "*/*" };
      const request = { ...load, protocol, path, headers, bodyBase64: Buffer.from(body).toString("base64"), warmUpCalls: warmUpCalls[protocol] };
      return { name: `${contentType.slice(12)}, ${protocol}`, start: ({ port }: PublicListener) => startHttpLoad({ ...request, port }) };
    }),
  );
}

/** Round by round, each server after the other: what else the machine does falls on all. */
async function samplesInTurn(servers: readonly PublicListener[], start: PlainRequest["start"]): Promise<readonly (readonly number[])[]> {
  await using loads = new AsyncDisposableStack();
  const started: HttpLoad[] = [];
  for (const server of servers) started.push(loads.use(await start(server)));
  const samples = servers.map(() => new Array<number>());
  for (let round = 0; round < rounds; round++) for (const [index, from] of started.entries()) samples[index]?.push(await callsPerCpuSecond(from));
  return samples;
}

async function callsPerCpuSecond(from: HttpLoad): Promise<number> {
  const { calls, serverCpuSeconds } = await from.round();
  return calls / serverCpuSeconds;
}

const onFault = ({ error }: { readonly error: unknown }): void => {
  throw error;
};

/** Rates are counted by a clock that runs a million times as fast: counted, and never reached. */
function allLayers(context: ReturnType<typeof createTestContext>, issuer: DevelopmentIssuer): EdgeOptions {
  const { clock, ids, tracer, meter, random } = context;
  const fastClock = { nowMs: () => clock.nowMs() + performance.now() * 1e6 };
  return edgeOptions({
    identity: rememberingIdentity(issuer, clock),
    clock,
    ids,
    tracer,
    metrics: createCallMetrics(meter),
    limits: createCallLimits({ clock: fastClock, meter, addressOf: () => "", shared: undefined }),
    admissionControl: createAdmissionControl({ clock, random, requestsPerSecond: undefined }),
    onFault,
    draining: new AbortController().signal,
  });
}

function serveEdge(options: EdgeOptions, plainCalls: boolean): PublicListener {
  const app = httpRoutes({ readiness: () => [], metricsText: () => "", issuer: undefined, refuseToken: async () => undefined });
  const fetch = mountConnect(app, (router) => router.service(RiderService, { getRide: async () => answer }), options, {
    onFault,
    peerAddress: () => "",
    plainCalls,
  });
  return listenPublic({ host: "127.0.0.1", port: 0, fetch: readableByBrowsers(fetch), onFault });
}

/** What raw Hono makes of a question. */
type Codec = { readonly json: (question: JsonValue) => JsonValue; readonly binary: (question: Uint8Array) => Uint8Array<ArrayBuffer> };

const json = JSON.stringify(toJson(GetRideResponseSchema, answer));
const binary = toBinary(GetRideResponseSchema, answer);
/** JSON is parsed and written without a schema, binary neither decoded nor encoded. */
const sameBytes: Codec = { json: () => JSON.parse(json), binary: () => binary };
/** As the edge has them: a question with its type, an answer made of a message. */
const messages: Codec = {
  json(given) {
    fromJson(GetRideRequestSchema, given);
    return toJson(GetRideResponseSchema, answer);
  },
  binary(given) {
    fromBinary(GetRideRequestSchema, given);
    return toBinary(GetRideResponseSchema, answer);
  },
};

/** Nothing else that an edge does. */
function serveHono(codec: Codec): PublicListener {
  const app = new Hono();
  app.post(path, async (context) => {
    if (context.req.header("content-type") === "application/proto") {
      const asked = new Uint8Array(await context.req.arrayBuffer());
      return context.body(codec.binary(asked), 200, { "content-type": "application/proto" });
    }
    return context.json(codec.json(await context.req.json()));
  });
  return listenPublic({ host: "127.0.0.1", port: 0, fetch: app.fetch, onFault });
}
