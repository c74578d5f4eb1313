/** Riders and operators at the edge: whose ride it is, where it is read, and how a stream of it lives. */
import { describe, expect, test } from "bun:test";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport as createWebTransport } from "@connectrpc/connect-web";
import { OpsService, RiderService, ridePin } from "@ridegrid/contracts";
import { RideStatus } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import { apiError, callerOf, reasonOf } from "@ridegrid/rpc";
import {
  type Behind,
  connectTransport,
  coordinatorWith,
  grpcTransport,
  iterate,
  otherRideId,
  pinSecret,
  requestId,
  ride,
  rideId,
  startGateway,
  withBearer,
} from "./gateway.fixture.ts";

const newest = ride({ version: 3n, status: RideStatus.ASSIGNED });

describe("GetRide", () => {
  test("comes from the read model of the home region, with the PIN for its rider", async () => {
    const asked: string[] = [];
    await using gateway = await startGateway({
      coordinator: coordinatorWith([ride({ homeRegion: "lhr" })]),
      state: (region) => ({
        getRideView: () => {
          asked.push(region);
          return { ride: newest };
        },
      }),
    });
    const client = createClient(RiderService, connectTransport(gateway));
    const bearer = withBearer(await gateway.token("rider", "r-1"));
    const answer = await client.getRide({ rideId }, bearer);
    expect(answer.ride).toMatchObject({ version: 3n, pin: ridePin(pinSecret, rideId) });
    expect(asked).toEqual(["lhr"]);
    const operator = withBearer(await gateway.token("operator", "o-1"));
    expect((await createClient(OpsService, connectTransport(gateway)).getRide({ rideId }, operator)).ride?.pin).toBe("");
  });

  test("an ended ride has no PIN", async () => {
    const ended = ride({ status: RideStatus.COMPLETED, version: 6n });
    await using gateway = await startGateway({ coordinator: coordinatorWith([ended]), state: () => ({ getRideView: () => ({ ride: ended }) }) });
    const answer = await createClient(RiderService, connectTransport(gateway)).getRide({ rideId }, withBearer(await gateway.token("rider", "r-1")));
    expect(answer.ride?.pin).toBe("");
  });

  const elsewhere: Record<string, NonNullable<Behind["state"]>> = {
    "does not know the ride yet": () => ({ getRideView: () => ({}) }),
    "is behind the version asked for": () => ({ getRideView: () => ({ ride: ride({ version: 2n }) }) }),
    "is away": () => ({ getRideView: () => Promise.reject(apiError("DEPENDENCY_AWAY", "away")) }),
    fails: () => ({ getRideView: () => Promise.reject(new Error("a fault")) }),
  };
  for (const [name, state] of Object.entries(elsewhere)) {
    test(`asks the coordinator when the read model ${name}`, async () => {
      await using gateway = await startGateway({ coordinator: coordinatorWith([newest]), state });
      const answer = await createClient(RiderService, connectTransport(gateway)).getRide(
        { rideId, minVersion: 3n },
        withBearer(await gateway.token("rider", "r-1")),
      );
      expect(answer.ride?.version).toBe(3n);
      expect(answer.asOf).toBeDefined();
    });
  }

  test("goes on from the read models while the coordinator is away", async () => {
    const away = () => Promise.reject(apiError("DEPENDENCY_AWAY", "away"));
    await using gateway = await startGateway({
      coordinator: { locateRide: away, getRide: away },
      state: (region) => ({ getRideView: () => (region === "lhr" ? { ride: newest } : {}) }),
    });
    const answer = await createClient(RiderService, connectTransport(gateway)).getRide({ rideId }, withBearer(await gateway.token("rider", "r-1")));
    expect(answer.ride?.version).toBe(3n);
  });
});

test("another person's ride is not found, from every method and stream", async () => {
  const theirs = { coordinator: coordinatorWith([ride()]), state: () => ({ getRideView: () => ({ ride: ride() }) }) };
  await using gateway = await startGateway(theirs);
  const bearer = withBearer(await gateway.token("rider", "r-2"));
  for (const transport of [createWebTransport({ baseUrl: gateway.url }), grpcTransport(gateway)]) {
    const client = createClient(RiderService, transport);
    for (const id of [rideId, otherRideId]) {
      expect(await reason(client.getRide({ rideId: id }, bearer))).toBe("RIDE_NOT_FOUND");
      expect(await reason(Array.fromAsync(client.watchRide({ rideId: id }, bearer)))).toBe("RIDE_NOT_FOUND");
    }
  }
});

test("commands reach the coordinator as their caller sent them, and their refusals come back whole", async () => {
  await using gateway = await startGateway({
    coordinator: {
      ...coordinatorWith([ride()]),
      requestRide: ({ command }, context) => ({ ride: ride({ riderId: callerOf(context).principal, rideId: command?.quoteId ?? "" }) }),
      cancelRide: () => {
        throw apiError("RIDE_STATE", "Cannot cancel: the ride is in progress", { status: "RIDE_STATUS_IN_PROGRESS" });
      },
    },
  });
  const client = createClient(RiderService, createWebTransport({ baseUrl: gateway.url }));
  const bearer = withBearer(await gateway.token("rider", "r ü/1"));
  const requested = await client.requestRide({ requestId, quoteId: otherRideId }, bearer);
  expect(requested.ride).toMatchObject({ riderId: "r ü/1", rideId: otherRideId, pin: ridePin(pinSecret, otherRideId) });
  const response = await gateway.post("rider.v1.RiderService/CancelRide", { requestId, rideId }, await gateway.token("rider", "r-1"));
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({
    code: "failed_precondition",
    details: [{ type: "google.rpc.ErrorInfo", debug: { reason: "RIDE_STATE", domain: "ridegrid.dev", metadata: { status: "RIDE_STATUS_IN_PROGRESS" } } }],
  });
});

test("a coordinator that hangs is DEPENDENCY_AWAY within a few seconds, with a delay to try again", async () => {
  await using gateway = await startGateway({ coordinator: { requestRide: () => new Promise<never>(() => {}) } });
  const startedMs = performance.now();
  const response = await gateway.post("rider.v1.RiderService/RequestRide", { requestId, quoteId: rideId }, await gateway.token("rider", "r-1"));
  expect(performance.now() - startedMs).toBeLessThan(7_000);
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({ code: "unavailable", details: [{ debug: { reason: "DEPENDENCY_AWAY" } }, { type: "google.rpc.RetryInfo" }] });
}, 10_000);

describe("WatchRide", () => {
  const update = (version: bigint, status = RideStatus.REQUESTED) =>
    ({ message: { cursor: `r.${version}`, update: { case: "ride", value: ride({ version, status }) } } }) as const;
  const found = { coordinator: coordinatorWith([ride()]) };
  const view = { getRideView: () => ({ ride: ride() }) };

  test("survives a restart of state-query: each version once, from the last cursor", async () => {
    const cursors: string[] = [];
    await using gateway = await startGateway({
      ...found,
      state: () => ({
        ...view,
        async *watchRide({ command }) {
          cursors.push(command?.cursor ?? "");
          if (cursors.length === 1) yield update(1n);
          if (cursors.length === 2) throw apiError("RIDE_NOT_FOUND", "not folded yet");
          if (cursors.length <= 3) throw apiError("DRAINING", "restarting");
          yield update(2n);
          yield update(3n, RideStatus.CANCELED);
        },
      }),
    });
    const messages = await Array.fromAsync(
      createClient(RiderService, connectTransport(gateway)).watchRide({ rideId }, withBearer(await gateway.token("rider", "r-1"))),
    );
    expect(messages.map(({ update: { value } }) => (value?.$typeName === "ridegrid.type.v1.Ride" ? [value.version, value.pin] : value))).toEqual([
      [1n, ridePin(pinSecret, rideId)],
      [2n, ridePin(pinSecret, rideId)],
      [3n, ""],
    ]);
    expect(cursors).toEqual(["", "r.1", "r.1", "r.1"]);
  });

  test("has heartbeats while it is quiet, with the cursor to resume from", async () => {
    await using gateway = await startGateway({ ...found, state: () => ({ ...view, watchRide: quietAfter(update(4n)) }) }, { heartbeatIntervalMs: 30 });
    for (const transport of [createWebTransport({ baseUrl: gateway.url }), grpcTransport(gateway)]) {
      const left = new AbortController();
      const seen: unknown[] = [];
      const stream = createClient(RiderService, transport).watchRide({ rideId }, { ...withBearer(await gateway.token("rider", "r-1")), signal: left.signal });
      for await (const { cursor, update: what } of stream) {
        seen.push([what.case, cursor]);
        if (seen.length === 3) break;
      }
      left.abort();
      expect(seen).toEqual([
        ["ride", "r.4"],
        ["heartbeat", "r.4"],
        ["heartbeat", "r.4"],
      ]);
    }
  });

  test("ends behind the gateway when the client leaves", async () => {
    const gone = Promise.withResolvers<void>();
    await using gateway = await startGateway({ ...found, state: () => ({ ...view, watchRide: quietAfter(update(1n), gone.resolve) }) });
    for (const transport of [createWebTransport({ baseUrl: gateway.url }), grpcTransport(gateway)]) {
      const left = new AbortController();
      const messages = iterate(
        createClient(RiderService, transport).watchRide({ rideId }, { ...withBearer(await gateway.token("rider", "r-1")), signal: left.signal }),
      );
      await messages.next();
      left.abort();
      await messages.next().catch(() => {});
      await gone.promise;
    }
  });

  test("ends with TOKEN_EXPIRED when its token does, and with DRAINING when the gateway stops", async () => {
    const gateway = await startGateway({ ...found, state: () => ({ ...view, watchRide: quietAfter(update(1n)) }) });
    const client = createClient(RiderService, createWebTransport({ baseUrl: gateway.url }));
    const native = createClient(RiderService, grpcTransport(gateway));
    const brief = withBearer(await gateway.token("rider", "r-1", 1));
    const expired = await Promise.all([client, native].map((each) => failure(Array.fromAsync(each.watchRide({ rideId }, brief)))));
    expect(expired.map((error) => [error.code, reasonOf(error)])).toEqual([
      [Code.Unauthenticated, "TOKEN_EXPIRED"],
      [Code.Unauthenticated, "TOKEN_EXPIRED"],
    ]);
    const long = withBearer(await gateway.token("rider", "r-1"));
    const opened = [client, native].map((each) => each.watchRide({ rideId }, long)[Symbol.asyncIterator]());
    await Promise.all(opened.map((messages) => messages.next()));
    const ends = opened.map((messages) => failure(messages.next()));
    await gateway[Symbol.asyncDispose]();
    expect((await Promise.all(ends)).map((error) => [error.code, reasonOf(error)])).toEqual([
      [Code.Unavailable, "DRAINING"],
      [Code.Unavailable, "DRAINING"],
    ]);
  });

  function quietAfter<T>(first: T, onAbort: () => void = () => {}) {
    return async function* (_: unknown, { signal }: { readonly signal: AbortSignal }) {
      yield first;
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      onAbort();
    };
  }
});

describe("operators", () => {
  const id = (second: number): string => `0199c0de-${String(second).padStart(4, "0")}-7000-8000-000000000001`;

  test("SearchRides pages over all regions, newest first, each ride once", async () => {
    const rides: Record<string, number[]> = { ewr: [9, 8, 5, 2], lhr: [7, 6, 4, 3, 1] };
    await using gateway = await startGateway({
      state: (region) => ({
        searchRides({ command }) {
          const from = Number(command?.pageToken || "0");
          const size = command?.pageSize ?? 0;
          const all = rides[region] ?? [];
          const page = all.slice(from, from + size).map((second) => ride({ rideId: id(second), homeRegion: region }));
          return { page: { rides: page, nextPageToken: from + size < all.length ? String(from + size) : "" } };
        },
      }),
    });
    const client = createClient(OpsService, grpcTransport(gateway));
    const bearer = withBearer(await gateway.token("viewer", "v-1"));
    for (const pageSize of [1, 2, 3, 4, 100]) {
      const seen: string[] = [];
      let pageToken = "";
      do {
        const page = await client.searchRides({ pageSize, pageToken }, bearer);
        expect(page.rides.length).toBeLessThanOrEqual(pageSize);
        expect(page.missingRegions).toEqual([]);
        seen.push(...page.rides.map((each) => each.rideId));
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      expect(seen).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1].map(id));
    }
    expect(await reason(client.searchRides({ pageToken: "made up" }, bearer))).toBe("FIELD_INVALID");
    expect(await reason(client.searchRides({ region: "mars" }, bearer))).toBe("FIELD_INVALID");
  });

  test("SearchDrivers merges all regions, nearest first, and a point or a radius out of range is refused", async () => {
    const near = { latitude: 40.7, longitude: -74 };
    const meters: Record<string, number[]> = { ewr: [5, 30, 31], lhr: [7, 8] };
    await using gateway = await startGateway({
      state: (region) => ({
        searchDrivers: ({ command }) =>
          region === "lhr" && command?.limit === 4
            ? Promise.reject(apiError("DEPENDENCY_AWAY", "away"))
            : { drivers: (meters[region] ?? []).map((distanceMeters) => ({ distanceMeters, region })) },
      }),
    });
    const client = createClient(OpsService, connectTransport(gateway));
    const bearer = withBearer(await gateway.token("viewer", "v-1"));
    const { drivers, missingRegions } = await client.searchDrivers({ near, limit: 3 }, bearer);
    expect([drivers.map(({ distanceMeters }) => distanceMeters), missingRegions]).toEqual([[5, 7, 8], []]);
    expect(await client.searchDrivers({ near, limit: 4 }, bearer)).toMatchObject({ drivers: [{}, {}, {}], missingRegions: ["lhr"] });
    const bad = [{}, { near: { latitude: 91, longitude: 0 } }, { near, radiusMeters: 50_001 }, { near, radiusMeters: Number.NaN }, { near, limit: 101 }];
    for (const request of bad) expect(await reason(client.searchDrivers(request, bearer))).toBe("FIELD_INVALID");
    for (const area of [{}, { center: near }, { center: near, radiusMeters: -1 }])
      expect(await reason(client.searchRides({ area }, bearer))).toBe("FIELD_INVALID");
  });

  test("a region that is away is missing, not an error", async () => {
    const away = () => Promise.reject(apiError("DEPENDENCY_AWAY", "away"));
    await using gateway = await startGateway({
      coordinator: {
        getPipelineHealth: () => ({ health: { processes: [{ name: "assignment-coordinator", ready: true }] } }),
        listInvariantViolations: () => ({}),
        listRegionStates: () => ({ regions: [{ region: "lhr", draining: true }] }),
      },
      state: (region) =>
        region === "lhr"
          ? { searchRides: away, getRegionHealth: away, listReadModelViolations: away }
          : { searchRides: () => ({ page: { rides: [ride()] } }), getRegionHealth: () => ({}), listReadModelViolations: () => ({}) },
    });
    const client = createClient(OpsService, createWebTransport({ baseUrl: gateway.url }));
    const bearer = withBearer(await gateway.token("operator", "o-1"));
    expect(await client.searchRides({}, bearer)).toMatchObject({ rides: [{ rideId }], missingRegions: ["lhr"], nextPageToken: "" });
    const health = await client.getPipelineHealth({}, bearer);
    expect(health.missingRegions).toContain("lhr");
    const ready = Object.fromEntries(health.processes.map((process) => [process.name, process.ready]));
    expect(ready).toMatchObject({ "assignment-coordinator": true, "state-query.lhr": false, "gateway.ewr": false });
    // An empty list would say that all was looked at.
    expect(await reason(client.listInvariantViolations({}, bearer))).toBe("DEPENDENCY_AWAY");
    expect(
      (await client.listRegions({}, bearer)).regions.map(({ region, draining, markets }) => [region, draining, markets.map(({ marketId }) => marketId)]),
    ).toEqual([
      ["ewr", false, ["nyc"]],
      ["lhr", true, ["lon"]],
    ]);
  });

  test("a command that is not live yet is unimplemented, with its reason", async () => {
    await using gateway = await startGateway();
    const client = createClient(OpsService, createWebTransport({ baseUrl: gateway.url }));
    const bearer = withBearer(await gateway.token("operator", "o-1"));
    expect(await reason(client.listDeadLetters({}, bearer))).toBe("UNIMPLEMENTED");
    expect(await reason(client.waiveFee({ requestId, reason: "kind", rideId }, bearer))).toBe("UNIMPLEMENTED");
    expect(await reason(client.listAuditEntries({}, bearer))).toBe("UNIMPLEMENTED");
  });
});

async function failure(promise: Promise<unknown>): Promise<ConnectError> {
  const error: unknown = await promise.then(
    () => new Error("the call succeeded"),
    (cause: unknown) => cause,
  );
  if (error instanceof ConnectError) return error;
  throw error;
}

async function reason(promise: Promise<unknown>): Promise<string | undefined> {
  return reasonOf(await failure(promise));
}
