/** Callers over their rate, on every protocol of a real gateway, with and without a shared Redis. */
import { describe, expect, test } from "bun:test";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport as createWebTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { RiderService } from "@ridegrid/contracts";
import { RetryInfoSchema } from "@ridegrid/contracts/gen/google/rpc/error_details_pb";
import { errorMetadata, reasonOf } from "@ridegrid/rpc";
import { createManualClock, createTestContext, eventually, redisServerMissing, startRedisServer, startUpstashBridge } from "@ridegrid/testing";
import { createDevelopmentIssuer } from "./app.ts";
import { connectTransport, coordinatorWith, grpcTransport, nyc, ride, startGateway, type TestGateway, withBearer } from "./gateway.fixture.ts";
import { addressBucket, callsBucket, positionsBucket } from "./limits.ts";

const behind = { coordinator: coordinatorWith([ride()]), state: () => ({ getRideView: () => ({ ride: ride({ version: 2n }) }) }) };
const quoteMethod = "rider.v1.RiderService/QuoteFare";
const trip = { pickup: nyc, dropoff: nyc, seats: 1 };

/** A gateway whose time stands still until it is told: nothing refills by itself. */
async function stillGateway(overrides: Parameters<typeof startGateway>[1] = {}) {
  const clock = createManualClock(1_800_000_000_000);
  const context = createTestContext({ clock });
  const issuer = await createDevelopmentIssuer({ clock });
  const gateway = await startGateway(behind, { context, identity: issuer, metricsText: context.metricsText, ...overrides });
  return Object.assign(gateway, { clock, context, issue: (subject: string) => issuer.issue({ role: "rider", subject }) });
}

async function spend(gateway: TestGateway, token: string, calls: number): Promise<readonly number[]> {
  return Promise.all(Array.from({ length: calls }, async () => (await gateway.post(quoteMethod, trip, token)).status));
}

const count = (statuses: readonly number[], status: number): number => statuses.filter((each) => each === status).length;

describe("a principal over its rate", () => {
  const transports: Record<string, (gateway: TestGateway) => Transport> = {
    "Connect from a browser's client": ({ url }) => createWebTransport({ baseUrl: url }),
    "Connect over h2c": connectTransport,
    "gRPC-Web from a browser's client": ({ url }) => createGrpcWebTransport({ baseUrl: url }),
    "native gRPC": grpcTransport,
  };
  for (const [name, transport] of Object.entries(transports)) {
    test(`is RATE_LIMITED with a delay and the standard headers: ${name}`, async () => {
      await using gateway = await stillGateway();
      const bearer = withBearer(await gateway.issue("r-1"));
      const client = createClient(RiderService, transport(gateway));
      const seen: Headers[] = [];
      const call = () => client.quoteFare(trip, { ...bearer, onHeader: (headers) => void seen.push(headers) });
      await call();
      expect(seen[0]?.get("ratelimit-policy")).toBe('"calls";q=60;w=3');
      expect(seen[0]?.get("ratelimit")).toBe('"calls";r=59;t=1');
      await Promise.all(Array.from({ length: callsBucket.capacity - 1 }, call));
      const error = await failure(call());
      expect([error.code, reasonOf(error), errorMetadata(error)["bucket"]]).toEqual([Code.ResourceExhausted, "RATE_LIMITED", "calls"]);
      expect(error.findDetails(RetryInfoSchema)[0]?.retryDelay).toMatchObject({ seconds: 0n, nanos: 50_000_000 });
      expect(error.metadata.get("retry-after")).toBe("1");
      expect(error.metadata.get("ratelimit")).toBe('"calls";r=0;t=3');
      expect(error.metadata.get("ratelimit-policy")).toBe('"calls";q=60;w=3');
      gateway.clock.advance(50);
      await call();
    });
  }

  test("gets 60 calls at once and 20 a second after that; nobody else is touched", async () => {
    await using gateway = await stillGateway();
    const token = await gateway.issue("r-1");
    const burst = await spend(gateway, token, 80);
    expect([count(burst, 200), count(burst, 429)]).toEqual([60, 20]);
    gateway.clock.advance(1_000);
    expect(count(await spend(gateway, token, 40), 200)).toBe(20);
    expect(count(await spend(gateway, await gateway.issue("r-2"), 60), 200)).toBe(60);
    expect(await gateway.context.metricsText()).toMatch(/rate_limited_total\{[^}]*bucket="calls"[^}]*\} 40/);
  });

  test("is charged once for a body that does not decode, and for a role that may not call", async () => {
    await using gateway = await stillGateway();
    const token = await gateway.issue("r-1");
    const malformed = await gateway.post(quoteMethod, { seats: "many" }, token);
    expect([malformed.status, malformed.headers.get("ratelimit")]).toEqual([400, '"calls";r=59;t=1']);
    const denied = await gateway.post("driver.v1.DriverService/GetDriver", {}, token);
    expect([denied.status, denied.headers.get("ratelimit")]).toEqual([403, '"calls";r=58;t=1']);
    // A chunked body takes the library's way instead of the plain one.
    const chunked = await fetch(`${gateway.url}/ridegrid.${quoteMethod}`, {
      method: "POST",
      body: new Blob(["{"]).stream(),
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    });
    expect([chunked.status, chunked.headers.get("ratelimit")]).toEqual([400, '"calls";r=57;t=1']);
    const strangers = grpcTransport(gateway);
    const left = async (): Promise<string | null> => (await failure(createClient(RiderService, strangers).quoteFare(trip))).metadata.get("ratelimit");
    expect([await left(), await left()]).toEqual(['"address";r=999;t=1', '"address";r=998;t=1']);
  });

  test("still reports positions and opens streams: they have buckets of their own", async () => {
    await using gateway = await stillGateway();
    const token = await gateway.issue("r-1");
    await spend(gateway, token, 60);
    expect((await gateway.post(quoteMethod, trip, token)).status).toBe(429);
    const watched = await gateway.post("rider.v1.RiderService/WatchRide", "", token, { "content-type": "application/connect+json" });
    expect(watched.headers.get("ratelimit")).toBe('"streams";r=599;t=1');
    await watched.body?.cancel();
    const reported = await gateway.post("driver.v1.DriverService/ReportPositions", {}, token);
    expect([reported.status, reported.headers.get("ratelimit")]).toEqual([403, `"positions";r=${positionsBucket.capacity - 1};t=1`]);
  });
});

describe("an address", () => {
  test("is limited for calls without a valid token only", async () => {
    await using gateway = await stillGateway({ clientAddressHeader: "fly-client-ip" });
    const from = (address: string) => ({ "fly-client-ip": address });
    const stranger = async (address: string): Promise<Response> => gateway.post(quoteMethod, trip, "no token of ours", from(address));
    const answers = await Promise.all(Array.from({ length: addressBucket.capacity }, () => stranger("192.0.2.1")));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]));
    const refused = await stranger("192.0.2.1");
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
    expect((await gateway.post(quoteMethod, trip, undefined, from("192.0.2.1"))).status).toBe(429);
    expect((await stranger("192.0.2.2")).status).toBe(401);
    expect((await gateway.post(quoteMethod, trip, await gateway.issue("r-1"), from("192.0.2.1"))).status).toBe(200);
  });

  test("is the connection's own where no proxy names one, on both ports", async () => {
    await using gateway = await stillGateway();
    const spent = await Promise.all(
      Array.from({ length: addressBucket.capacity }, () => gateway.post(quoteMethod, trip, "no token", { "fly-client-ip": crypto.randomUUID() })),
    );
    expect(new Set(spent.map(({ status }) => status))).toEqual(new Set([401]));
    expect((await gateway.post(quoteMethod, trip)).status).toBe(429);
    const error = await failure(createClient(RiderService, grpcTransport(gateway)).quoteFare(trip));
    expect(reasonOf(error)).toBe("RATE_LIMITED");
  });

  test("gets development tokens for a whole simulated city at once", async () => {
    await using gateway = await stillGateway();
    const statuses = new Set<number>();
    for (let batch = 0; batch < 50; batch++) {
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          fetch(`${gateway.url}/dev/token`, { method: "POST", body: JSON.stringify({ role: "driver", subject: `d-${batch * 50 + index}` }) }),
        ),
      );
      for (const answer of answers) statuses.add(answer.status);
    }
    expect([...statuses]).toEqual([200]);
  });
});

test("a browser may read the rate-limit headers", async () => {
  await using gateway = await stillGateway();
  const answer = await gateway.post(quoteMethod, trip, await gateway.issue("r-1"), { origin: "https://rider.example" });
  const exposed = answer.headers.get("access-control-expose-headers")?.toLowerCase() ?? "";
  for (const name of ["ratelimit", "ratelimit-policy", "retry-after"]) expect(exposed.split(",")).toContain(name);
});

const missing = redisServerMissing();
if (missing !== null) test.skip(`buckets shared through Redis (${missing})`, () => {});
else
  describe("buckets shared through Redis", () => {
    async function sharedWorld() {
      const server = await startRedisServer();
      const bridge = startUpstashBridge({ redisPort: server.port, token: "test-token" });
      const gateway = await stillGateway({ redis: { url: bridge.url, token: bridge.token } });
      return {
        server,
        bridge,
        gateway,
        fallbacks: async () => Number(/rate_limit_fallbacks_total(?:\{[^}]*\})? (\d+)/.exec(await gateway.context.metricsText())?.[1]),
        async [Symbol.asyncDispose]() {
          await gateway[Symbol.asyncDispose]();
          await bridge.stop();
          await server.stop();
        },
      };
    }

    /** How long calls take, one after the other. */
    async function meanMs(gateway: Awaited<ReturnType<typeof stillGateway>>, calls: number): Promise<number> {
      const tokens = await Promise.all(Array.from({ length: calls }, (_, index) => gateway.issue(`r-slow-${index}`)));
      const startedAt = performance.now();
      for (const token of tokens) expect((await gateway.post(quoteMethod, trip, token)).status).toBe(200);
      return (performance.now() - startedAt) / calls;
    }

    test("hold a principal on every gateway", async () => {
      await using world = await sharedWorld();
      const redis = { url: world.bridge.url, token: world.bridge.token };
      await using first = await startGateway(behind, { redis });
      await using second = await startGateway(behind, { redis, identity: first.issuer });
      // Neither gateway is asked for a burst, so that only a shared bucket refuses. A busy machine may miss Redis' time-out: another try.
      const refusals = async (): Promise<number> => {
        const token = await first.token("rider", crypto.randomUUID());
        let refused = 0;
        for (let round = 0; round < 5; round++) for (const gateway of [first, second]) refused += count(await spend(gateway, token, 10), 429);
        return refused;
      };
      await eventually(async () => (await refusals()) > 0, { timeoutMs: 20_000, what: "a principal is refused for what it asked of two gateways" });
    });

    test("let requests go on while Redis is stopped, counted, and are used again when it is back", async () => {
      await using world = await sharedWorld();
      const { gateway } = world;
      expect((await gateway.post(quoteMethod, trip, await gateway.issue("r-1"))).status).toBe(200);
      await world.server.stop();
      // Somebody new: on a busy machine the call before may have been this process's own to decide, too.
      expect(count(await spend(gateway, await gateway.issue("r-3"), 80), 200)).toBe(60);
      expect(await world.fallbacks()).toBeGreaterThanOrEqual(60);
      const back = await startRedisServer({ port: world.server.port });
      try {
        await eventually(
          async () => {
            gateway.clock.advance(60_000);
            const before = await world.fallbacks();
            await gateway.post(quoteMethod, trip, await gateway.issue("r-2"));
            return (await world.fallbacks()) === before;
          },
          { timeoutMs: 20_000, what: "the gateway asks Redis again" },
        );
      } finally {
        await back.stop();
      }
    });

    test("let requests go on when Redis is flushed, scripts and all", async () => {
      await using world = await sharedWorld();
      const token = await world.gateway.issue("r-1");
      const statuses = [];
      for (let calls = 0; calls < 20; calls++) {
        if (calls % 5 === 4) await world.bridge.flush();
        statuses.push((await world.gateway.post(quoteMethod, trip, token)).status);
      }
      expect(new Set(statuses)).toEqual(new Set([200]));
    });

    test("add less than 50 ms on average while Redis is 2 s slow", async () => {
      await using world = await sharedWorld();
      const calls = 40;
      await meanMs(world.gateway, calls);
      // The least of three: a busy machine has pauses of its own.
      const added: number[] = [];
      for (let round = 0; round < 3; round++) {
        world.bridge.delayMs = 0;
        world.gateway.clock.advance(60_000);
        const usualMs = await meanMs(world.gateway, calls);
        world.bridge.delayMs = 2_000;
        world.gateway.clock.advance(60_000);
        added.push((await meanMs(world.gateway, calls)) - usualMs);
      }
      expect(Math.min(...added)).toBeLessThan(50);
      expect(await world.fallbacks()).toBeGreaterThanOrEqual(3 * calls);
    });
  });

async function failure(promise: Promise<unknown>): Promise<ConnectError> {
  const error: unknown = await promise.then(
    () => new Error("the call succeeded"),
    (reason: unknown) => reason,
  );
  if (error instanceof ConnectError) return error;
  throw error;
}
