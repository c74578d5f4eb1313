/** The servers of the edge's figure: all answer the same `GetRide`. */
import { create, fromBinary, fromJson, type JsonValue, toBinary, toJson } from "@bufbuild/protobuf";
import { RiderService } from "@ridegrid/contracts";
import { GetRideRequestSchema, GetRideResponseSchema } from "@ridegrid/contracts/gen/rider/v1/rider_service_pb";
import { createCallMetrics, type EdgeOptions, mountConnect } from "@ridegrid/rpc";
import type { TestContext } from "@ridegrid/testing";
import { Hono } from "hono";
import { createAdmissionControl } from "./admission-control.ts";
import { readableByBrowsers } from "./browsers.ts";
import { createCallLimits } from "./call-limits.ts";
import { edgeOptions } from "./edge-options.ts";
import { ride, rideId } from "./gateway.fixture.ts";
import { httpRoutes } from "./http-routes.ts";
import type { DevelopmentIssuer } from "./identity.development.ts";
import { rememberingIdentity } from "./identity.remembering.ts";
import { listenPublic, type PublicListener } from "./public-listener.ts";

/** "library": the edge, every call by the library's handler. Raw Hono has the answer at hand, or decodes and encodes messages. */
export type EdgeServer = "edge" | "library" | "Hono" | "Hono with messages";

export const getRidePath = "/ridegrid.rider.v1.RiderService/GetRide";
const answer = create(GetRideResponseSchema, { ride: ride() });
const question = create(GetRideRequestSchema, { rideId });
export const questions = {
  "application/json": JSON.stringify(toJson(GetRideRequestSchema, question)),
  "application/proto": toBinary(GetRideRequestSchema, question),
} as const;

export function serve(server: EdgeServer, context: TestContext, issuer: DevelopmentIssuer): PublicListener {
  switch (server) {
    case "edge":
      return serveEdge(allLayers(context, issuer), true);
    case "library":
      return serveEdge(allLayers(context, issuer), false);
    case "Hono":
      return serveHono(sameBytes);
    case "Hono with messages":
      return serveHono(messages);
  }
}

function onFault({ error }: { readonly error: unknown }): void {
  throw error;
}

/** Rates are counted by a clock that runs a million times as fast: counted, and never reached. */
function allLayers(context: TestContext, issuer: DevelopmentIssuer): EdgeOptions {
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
  app.post(getRidePath, async (context) => {
    if (context.req.header("content-type") === "application/proto") {
      const asked = new Uint8Array(await context.req.arrayBuffer());
      return context.body(codec.binary(asked), 200, { "content-type": "application/proto" });
    }
    return context.json(codec.json(await context.req.json()));
  });
  return listenPublic({ host: "127.0.0.1", port: 0, fetch: app.fetch, onFault });
}
