/** The public edge over real sockets: protocols, tokens, bad input, CORS, health. */
import { describe, expect, test } from "bun:test";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createGrpcWebTransport as createNodeGrpcWebTransport } from "@connectrpc/connect-node";
import { createConnectTransport as createWebTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { credentials, Client as GrpcClient, Metadata } from "@grpc/grpc-js";
import { DriverService, RiderService } from "@ridegrid/contracts";
import { Health } from "@ridegrid/contracts/gen/grpc/health/v1/health_pb";
import { ServerReflection } from "@ridegrid/contracts/gen/grpc/reflection/v1/reflection_pb";
import { GetRideRequestSchema, GetRideResponseSchema } from "@ridegrid/contracts/gen/rider/v1/rider_service_pb";
import { errorMetadata, reasonOf } from "@ridegrid/rpc";
import {
  connectTransport,
  coordinatorWith,
  grpcTransport,
  nyc,
  requestId,
  ride,
  rideId,
  startGateway,
  type TestGateway,
  withBearer,
} from "./gateway.fixture.ts";

const getRideMethod = "rider.v1.RiderService/GetRide";
const behind = { coordinator: coordinatorWith([ride()]), state: () => ({ getRideView: () => ({ ride: ride({ version: 2n }) }) }) };

describe("every protocol answers a read", () => {
  const transports: Record<string, (gateway: TestGateway) => Transport> = {
    "Connect from a browser's client": ({ url }) => createWebTransport({ baseUrl: url }),
    "Connect JSON from a browser's client, by GET": ({ url }) => createWebTransport({ baseUrl: url, useHttpGet: true, useBinaryFormat: false }),
    "Connect over h2c": connectTransport,
    "gRPC-Web from a browser's client": ({ url }) => createGrpcWebTransport({ baseUrl: url }),
    "gRPC-Web over h2c": ({ url }) => createNodeGrpcWebTransport({ baseUrl: url, httpVersion: "2" }),
    "native gRPC": grpcTransport,
  };
  for (const [name, transport] of Object.entries(transports)) {
    test(name, async () => {
      await using gateway = await startGateway(behind);
      const client = createClient(RiderService, transport(gateway));
      const bearer = withBearer(await gateway.token("rider", "r-1"));
      expect((await client.getRide({ rideId }, bearer)).ride?.version).toBe(2n);
      const error = await failure(client.getRide({ rideId: "x" }, bearer));
      expect([error.code, reasonOf(error), errorMetadata(error)["field"]]).toEqual([Code.InvalidArgument, "FIELD_INVALID", "ride_id"]);
      expect(reasonOf(await failure(client.getRide({ rideId })))).toBe("TOKEN_MISSING");
    });
  }

  test("curl's JSON, by POST and by GET", async () => {
    await using gateway = await startGateway(behind);
    const token = await gateway.token("rider", "r-1");
    const posted = await gateway.post(getRideMethod, { rideId }, token);
    expect(posted.status).toBe(200);
    expect(await posted.json()).toMatchObject({ ride: { rideId, version: "2", status: "RIDE_STATUS_REQUESTED" } });
    const query = new URLSearchParams({ connect: "v1", encoding: "json", message: JSON.stringify({ rideId }) });
    const got = await fetch(`${gateway.url}/ridegrid.${getRideMethod}?${query.toString()}`, withBearer(token));
    expect(await got.json()).toMatchObject({ ride: { rideId } });
  });

  test("a grpc-js peer, its metadata and its status details", async () => {
    await using gateway = await startGateway(behind);
    const peer = new GrpcClient(gateway.gateway.grpcAddress, credentials.createInsecure());
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${await gateway.token("rider", "r-1")}`);
    const call = (id: string) =>
      new Promise<bigint | undefined>((resolve, reject) => {
        const write = (): Buffer => Buffer.from(toBinary(GetRideRequestSchema, { $typeName: "ridegrid.rider.v1.GetRideRequest", rideId: id, minVersion: 0n }));
        peer.makeUnaryRequest(
          `/ridegrid.${getRideMethod}`,
          write,
          (bytes: Buffer) => fromBinary(GetRideResponseSchema, bytes),
          {},
          metadata,
          (error, answer) => (error === null ? resolve(answer?.ride?.version) : reject(error)),
        );
      });
    expect(await call(rideId)).toBe(2n);
    const error: unknown = await call("x").catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 3, details: expect.stringContaining("ride_id") });
    peer.close();
  });
});

describe("tokens", () => {
  const refused = async (gateway: TestGateway, method: string, token: string | undefined) => {
    const response = await gateway.post(method, { rideId }, token);
    return { status: response.status, reason: reasonIn(await response.json()) };
  };

  test("a call without, with a broken, a foreign and an expired token is unauthenticated", async () => {
    await using gateway = await startGateway(behind);
    await using other = await startGateway(behind);
    const good = await gateway.token("rider", "r-1");
    expect(await refused(gateway, getRideMethod, undefined)).toEqual({ status: 401, reason: "TOKEN_MISSING" });
    expect(await refused(gateway, getRideMethod, "no.such.token")).toEqual({ status: 401, reason: "TOKEN_INVALID" });
    expect(await refused(gateway, getRideMethod, `${good.slice(0, -6)}AAAAAA`)).toEqual({ status: 401, reason: "TOKEN_INVALID" });
    expect(await refused(gateway, getRideMethod, await other.token("rider", "r-1"))).toEqual({ status: 401, reason: "TOKEN_INVALID" });
    expect(await refused(gateway, getRideMethod, await gateway.token("rider", "r-1", -5))).toEqual({ status: 401, reason: "TOKEN_EXPIRED" });
    expect(await refused(gateway, getRideMethod, await gateway.token("rider", "r\0"))).toEqual({ status: 401, reason: "TOKEN_INVALID" });
    const basic = await gateway.post(getRideMethod, { rideId }, undefined, { authorization: "Basic eDp5" });
    expect(reasonIn(await basic.json())).toBe("TOKEN_INVALID");
  });

  test("a role calls its own service only, and a viewer only reads", async () => {
    await using gateway = await startGateway(behind);
    const denied = { status: 403, reason: "ROLE_NOT_ALLOWED" };
    expect(await refused(gateway, getRideMethod, await gateway.token("driver", "d-1"))).toEqual(denied);
    expect(await refused(gateway, "driver.v1.DriverService/GetDriver", await gateway.token("rider", "r-1"))).toEqual(denied);
    expect(await refused(gateway, "ops.v1.OpsService/GetRide", await gateway.token("rider", "r-1"))).toEqual(denied);
    const viewer = await gateway.token("viewer", "v-1");
    expect(await refused(gateway, "ops.v1.OpsService/CancelRide", viewer)).toEqual(denied);
    expect((await gateway.post("ops.v1.OpsService/GetRide", { rideId }, viewer)).status).toBe(200);
  });

  test("gateways with one development key take each other's tokens", async () => {
    await using first = await startGateway(behind);
    await using second = await startGateway(behind, { identity: first.issuer });
    expect((await second.post(getRideMethod, { rideId }, await first.token("rider", "r-1"))).status).toBe(200);
  });

  test("POST /dev/token issues a token that works, and refuses what no token may say", async () => {
    await using gateway = await startGateway(behind);
    const ask = (body: unknown) => fetch(`${gateway.url}/dev/token`, { method: "POST", body: JSON.stringify(body) });
    const answer: unknown = await (await ask({ role: "rider", subject: "r-1" })).json();
    const token = typeof answer === "object" && answer !== null && "token" in answer ? String(answer.token) : "";
    expect((await gateway.post(getRideMethod, { rideId }, token)).status).toBe(200);
    expect((await ask({ role: "service", subject: "r-1" })).status).toBe(400);
    expect((await ask({ role: "rider" })).status).toBe(400);
    expect((await ask([])).status).toBe(400);
  });

  test("createGateway() refuses the development issuer in production, and without it there is no token route", async () => {
    await expect(startGateway({}, { production: true })).rejects.toThrow("development issuer");
    await using gateway = await startGateway({}, { production: true, identity: { verify: () => Promise.reject(new Error("unused")) } });
    expect((await fetch(`${gateway.url}/dev/token`, { method: "POST", body: "{}" })).status).toBe(404);
  });
});

describe("bad input is answered with the path of its field", () => {
  const malformed: Record<string, { readonly method: string; readonly role: "rider" | "driver"; readonly body: unknown; readonly field: string }> = {
    "no JSON": { method: getRideMethod, role: "rider", body: "{", field: "body" },
    "an array": { method: getRideMethod, role: "rider", body: [], field: "body" },
    "a number for a string": { method: getRideMethod, role: "rider", body: { rideId: 7 }, field: "ride_id" },
    "a wrong nested type": { method: "rider.v1.RiderService/QuoteFare", role: "rider", body: { pickup: { latitude: "north" } }, field: "pickup.latitude" },
    "a wrong type in a list": {
      method: "driver.v1.DriverService/ReportPositions",
      role: "driver",
      body: { positions: [{ sequence: "1", observeTime: "2026-01-01T00:00:00Z" }, { sequence: "one" }] },
      field: "positions[1].sequence",
    },
    "a time that is none": {
      method: "driver.v1.DriverService/ReportPositions",
      role: "driver",
      body: { positions: [{ sequence: 1, observeTime: "now" }] },
      field: "positions[0].observe_time",
    },
    "an enum value that does not exist": {
      method: "rider.v1.RiderService/CancelRide",
      role: "rider",
      body: { requestId, rideId, reason: "CANCEL_REASON_RAIN" },
      field: "reason",
    },
    "an enum number that does not exist": {
      method: "rider.v1.RiderService/CancelRide",
      role: "rider",
      body: { requestId, rideId, reason: 99 },
      field: "reason",
    },
    "a rule of the schema": {
      method: "rider.v1.RiderService/QuoteFare",
      role: "rider",
      body: { pickup: { latitude: 91, longitude: 0 }, dropoff: nyc },
      field: "pickup.latitude",
    },
    "a missing message": { method: "rider.v1.RiderService/QuoteFare", role: "rider", body: { pickup: nyc }, field: "dropoff" },
    "a NUL": {
      method: "driver.v1.DriverService/GoOnline",
      role: "driver",
      body: { requestId, location: nyc, vehicle: { seats: 4, plate: "A\0B", model: "m" } },
      field: "vehicle.plate",
    },
  };
  for (const [name, { method, role, body, field }] of Object.entries(malformed)) {
    test(name, async () => {
      await using gateway = await startGateway(behind);
      const response = await gateway.post(method, body, await gateway.token(role, "p-1"));
      const error: unknown = await response.json();
      expect({ status: response.status, error }).toMatchObject({ status: 400, error: { code: "invalid_argument" } });
      expect(infoIn(error)).toMatchObject({ domain: "ridegrid.dev", reason: "FIELD_INVALID", metadata: { field } });
    });
  }

  test("unknown fields are passed over: clients may be newer", async () => {
    await using gateway = await startGateway(behind);
    expect((await gateway.post(getRideMethod, { rideId, shoeSize: 43 }, await gateway.token("rider", "r-1"))).status).toBe(200);
  });

  test("bytes that are no protobuf, over Connect and over gRPC", async () => {
    await using gateway = await startGateway(behind);
    const token = await gateway.token("rider", "r-1");
    const response = await gateway.post(getRideMethod, "\x0a\xff\xff", token, { "content-type": "application/proto" });
    expect(infoIn(await response.json())).toMatchObject({ reason: "FIELD_INVALID", metadata: { field: "body" } });
    const peer = new GrpcClient(gateway.gateway.grpcAddress, credentials.createInsecure());
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${token}`);
    const error: unknown = await new Promise((resolve) =>
      peer.makeUnaryRequest(
        `/ridegrid.${getRideMethod}`,
        () => Buffer.from([0x0a, 0xff, 0xff]),
        (bytes: Buffer) => bytes,
        {},
        metadata,
        resolve,
      ),
    );
    expect(error).toMatchObject({ code: 3 });
    peer.close();
  });

  test("a body over 1 MiB is read off and answered TOO_LARGE, on every protocol", async () => {
    await using gateway = await startGateway(behind);
    const token = await gateway.token("rider", "r-1");
    const response = await gateway.post(getRideMethod, { rideId: "x".repeat(3 * 1_048_576) }, token);
    expect(response.status).toBe(429);
    expect(infoIn(await response.json())).toMatchObject({ reason: "TOO_LARGE", metadata: { max_bytes: "1048576" } });
    for (const transport of [grpcTransport(gateway), connectTransport(gateway), createGrpcWebTransport({ baseUrl: gateway.url })]) {
      const error = await failure(createClient(RiderService, transport).getRide({ rideId: "x".repeat(2 * 1_048_576) }, withBearer(token)));
      expect([error.code, reasonOf(error)]).toEqual([Code.ResourceExhausted, "TOO_LARGE"]);
    }
    // The connection is as good as before.
    expect((await gateway.post(getRideMethod, { rideId }, token)).status).toBe(200);
  });

  test("a path, an HTTP method and a content type that are none carry an ErrorInfo too", async () => {
    await using gateway = await startGateway(behind);
    const token = await gateway.token("rider", "r-1");
    const unknown = await gateway.post("rider.v1.RiderService/Fly", {}, token);
    expect([unknown.status, reasonIn(await unknown.json())]).toEqual([404, "UNIMPLEMENTED"]);
    const got = await fetch(`${gateway.url}/ridegrid.rider.v1.RiderService/RequestRide`, withBearer(token));
    expect([got.status, reasonIn(await got.json())]).toEqual([405, "UNIMPLEMENTED"]);
    const text = await gateway.post(getRideMethod, "{}", token, { "content-type": "text/plain" });
    expect([text.status, reasonIn(await text.json())]).toEqual([415, "FIELD_INVALID"]);
    const timeout = await gateway.post(getRideMethod, { rideId }, token, { "connect-timeout-ms": "soon" });
    expect([timeout.status, reasonIn(await timeout.json())]).toEqual([400, "FIELD_INVALID"]);
  });
});

test("a browser may call from anywhere and sees the protocols' headers", async () => {
  await using gateway = await startGateway(behind);
  const headers = {
    origin: "https://rider.example",
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,connect-protocol-version,content-type,x-grpc-web",
  };
  const preflight = await fetch(`${gateway.url}/ridegrid.${getRideMethod}`, { method: "OPTIONS", headers });
  expect(preflight.status).toBe(204);
  const allowed = preflight.headers.get("access-control-allow-headers")?.toLowerCase() ?? "";
  for (const header of headers["access-control-request-headers"].split(",")) expect(allowed).toContain(header);
  const refused = await gateway.post(getRideMethod, {}, undefined, { origin: headers.origin });
  expect(refused.status).toBe(401);
  expect(refused.headers.get("access-control-allow-origin")).toBe("*");
  expect(refused.headers.get("access-control-expose-headers")?.toLowerCase()).toContain("grpc-status");
});

test("a fault behind the gateway is internal, without its words", async () => {
  const coordinator = {
    ...behind.coordinator,
    getDriver: () => {
      throw new Error("the secret is 42");
    },
  };
  await using gateway = await startGateway({ coordinator });
  const response = await gateway.post("driver.v1.DriverService/GetDriver", {}, await gateway.token("driver", "d-1"));
  const text = await response.text();
  expect([response.status, reasonIn(JSON.parse(text))]).toEqual([500, "INTERNAL"]);
  expect(text).not.toContain("42");
});

test("a deadline of the client is kept while a service hangs", async () => {
  const coordinator = { ...behind.coordinator, getDriver: () => new Promise<never>(() => {}) };
  await using gateway = await startGateway({ coordinator });
  const client = createClient(DriverService, grpcTransport(gateway));
  const error = await failure(client.getDriver({}, { ...withBearer(await gateway.token("driver", "d-1")), timeoutMs: 100 }));
  expect(error.code).toBe(Code.DeadlineExceeded);
  const response = await gateway.post("driver.v1.DriverService/GetDriver", {}, await gateway.token("driver", "d-1"), { "connect-timeout-ms": "100" });
  expect([response.status, reasonIn(await response.json())]).toEqual([504, "DEADLINE_EXCEEDED"]);
});

test("/livez, /readyz and /metrics say how the gateway is", async () => {
  await using gateway = await startGateway(behind);
  expect((await fetch(`${gateway.url}/livez`)).status).toBe(200);
  const ready = await until(
    () => fetch(`${gateway.url}/readyz`),
    (response) => response.status === 200,
  );
  expect(await ready.json()).toMatchObject({
    ready: true,
    parts: [
      { name: "listening", ready: true },
      { name: "coordinator", ready: true },
    ],
  });
  await gateway.post(getRideMethod, { rideId }, await gateway.token("rider", "r-1"));
  expect(await (await fetch(`${gateway.url}/metrics`)).text()).toContain("rpc_server_call_duration");
  await using lost = await startGateway({ coordinator: { now: () => Promise.reject(new Error("away")) } });
  const unready = await fetch(`${lost.url}/readyz`);
  expect(unready.status).toBe(503);
  expect(await unready.json()).toMatchObject({
    ready: false,
    parts: [
      { name: "listening", ready: true, detail: "" },
      { name: "coordinator", ready: false },
    ],
  });
});

test("gRPC health and reflection answer without a token on the native port", async () => {
  await using gateway = await startGateway(behind);
  const health = createClient(Health, grpcTransport(gateway));
  await until(
    () => health.check({ service: "ridegrid.rider.v1.RiderService" }),
    ({ status }) => status === 1,
  );
  expect((await failure(health.check({ service: "no.such.Service" }))).code).toBe(Code.NotFound);
  const reflection = createClient(ServerReflection, grpcTransport(gateway));
  async function* questions() {
    yield { messageRequest: { case: "listServices", value: "" } } as const;
    yield { messageRequest: { case: "fileContainingSymbol", value: "ridegrid.rider.v1.RiderService.GetRide" } } as const;
    yield { messageRequest: { case: "fileByFilename", value: "ridegrid/type/v1/ride.proto" } } as const;
    yield { messageRequest: { case: "fileContainingSymbol", value: "google.rpc.ErrorInfo" } } as const;
    yield { messageRequest: { case: "fileByFilename", value: "no.proto" } } as const;
  }
  const answers = await Array.fromAsync(reflection.serverReflectionInfo(questions()));
  expect(answers.map(({ messageResponse }) => messageResponse.case)).toEqual([
    "listServicesResponse",
    "fileDescriptorResponse",
    "fileDescriptorResponse",
    "fileDescriptorResponse",
    "errorResponse",
  ]);
  const listed = answers[0]?.messageResponse;
  expect(listed?.case === "listServicesResponse" ? listed.value.service.map(({ name }) => name) : []).toContain("ridegrid.driver.v1.DriverService");
});

test("stop() lets a call in flight end with its answer, on both ports", async () => {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  let calls = 0;
  const gateway = await startGateway({
    coordinator: {
      ...behind.coordinator,
      async getDriver({ driverId }) {
        if (++calls === 2) asked.resolve();
        await answer.promise;
        return { driver: { driverId } };
      },
    },
  });
  const bearer = withBearer(await gateway.token("driver", "d-1"));
  const calling = [connectTransport(gateway), grpcTransport(gateway)].map((transport) => createClient(DriverService, transport).getDriver({}, bearer));
  await asked.promise;
  const stopped = gateway[Symbol.asyncDispose]();
  answer.resolve();
  expect((await Promise.all(calling)).map(({ driver }) => driver?.driverId)).toEqual(["d-1", "d-1"]);
  await stopped;
  await expect(fetch(`${gateway.url}/livez`)).rejects.toThrow();
});

test("start() fails when a port is taken, and keeps none", async () => {
  await using first = await startGateway(behind);
  const port = Number(new URL(first.url).port);
  const grpcPort = Number(first.gateway.grpcAddress.split(":")[1]);
  await expect(startGateway(behind, { listen: { host: "127.0.0.1", port, grpcPort: 0 } })).rejects.toThrow();
  await expect(startGateway(behind, { listen: { host: "127.0.0.1", port: 0, grpcPort } })).rejects.toThrow();
});

async function failure(promise: Promise<unknown>): Promise<ConnectError> {
  const error: unknown = await promise.then(
    () => new Error("the call succeeded"),
    (reason: unknown) => reason,
  );
  if (error instanceof ConnectError) return error;
  throw error;
}

async function until<T>(ask: () => Promise<T>, holds: (answer: T) => boolean): Promise<T> {
  for (let tries = 0; tries < 100; tries++) {
    const answer = await ask();
    if (holds(answer)) return answer;
    await Bun.sleep(20);
  }
  throw new Error("Waited in vain");
}

type ErrorJson = {
  readonly details?: readonly {
    readonly type: string;
    readonly debug?: { readonly reason?: string; readonly domain?: string; readonly metadata?: Record<string, string> };
  }[];
};

function infoIn(error: unknown): unknown {
  const { details = [] } = error as ErrorJson;
  return details.find(({ type }) => type === "google.rpc.ErrorInfo")?.debug;
}

function reasonIn(error: unknown): unknown {
  const info = infoIn(error);
  return typeof info === "object" && info !== null && "reason" in info ? info.reason : undefined;
}
