/** Drivers at the edge: positions with their acknowledgements, and a feed that follows the shift. */
import { describe, expect, test } from "bun:test";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport as createWebTransport } from "@connectrpc/connect-web";
import { DriverService, timestampFromMs } from "@ridegrid/contracts";
import { PositionRejection } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import type { ForwardPositionsRequest } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { DriverStatus } from "@ridegrid/contracts/gen/type/v1/driver_pb";
import { CancelReason, RideStatus } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import { apiError, reasonOf } from "@ridegrid/rpc";
import { eventually } from "@ridegrid/testing";
import {
  type Behind,
  connectTransport,
  coordinatorWith,
  durable,
  grpcTransport,
  iterate,
  london,
  nyc,
  requestId,
  ride,
  rideId,
  runsIn,
  startGateway,
  type TestGateway,
  withBearer,
} from "./gateway.fixture.ts";

type Location = { readonly latitude: number; readonly longitude: number };
const position = (sequence: number, location: Location | undefined = nyc) => ({
  sequence: BigInt(sequence),
  observeTime: timestampFromMs(1_700_000_000_000 + sequence),
  accuracyM: 5,
  ...(location && { location }),
});

/** No number of JavaScript's is this sequence. */
const beyondNumbers = 2n ** 53n + 1n;

/** Makes everything durable, and says which region took which driver's sequences. */
function durableIngest(taken: string[]): NonNullable<Behind["ingest"]> {
  return (region) => ({
    async *forwardPositions(requests: AsyncIterable<ForwardPositionsRequest>) {
      for await (const page of requests) {
        for (const { driverId, sequences } of runsIn(page)) taken.push(`${region}/${driverId}:${sequences.join(",")}`);
        yield durable(page);
      }
    },
  });
}

test("a ride never shows its PIN to its driver, whatever the coordinator says", async () => {
  const shown = ride({ status: RideStatus.ASSIGNED, pin: "4711" });
  const driver = { driverId: "d-1", ride: shown };
  await using gateway = await startGateway({
    coordinator: {
      ...coordinatorWith([shown]),
      ...{ goOnline: () => ({ driver }), goOffline: () => ({ driver }), getDriver: () => ({ driver }) },
      ...{ acceptOffer: () => ({ ride: shown }), arriveAtPickup: () => ({ ride: shown }), startRide: () => ({ ride: shown }) },
      ...{ completeRide: () => ({ ride: shown }), releaseRide: () => ({ ride: shown }) },
    },
  });
  const client = createClient(DriverService, connectTransport(gateway));
  const bearer = withBearer(await gateway.token("driver", "d-1"));
  const command = { requestId, rideId };
  const rides = [
    (await client.goOnline({ requestId, location: nyc, vehicle: { seats: 4, plate: "RG 1", model: "Ioniq 5" } }, bearer)).driver?.ride,
    (await client.goOffline({ requestId }, bearer)).driver?.ride,
    (await client.getDriver({}, bearer)).driver?.ride,
    (await client.acceptOffer({ requestId, offerId: rideId }, bearer)).ride,
    (await client.arriveAtPickup({ ...command, location: nyc }, bearer)).ride,
    (await client.startRide({ ...command, pin: "1234" }, bearer)).ride,
    (await client.completeRide(command, bearer)).ride,
    (await client.cancelRide({ ...command, reason: CancelReason.OTHER }, bearer)).ride,
  ];
  expect(rides.map((each) => [each?.rideId, each?.pin])).toEqual(rides.map(() => [rideId, ""]));
});

describe("ReportPositions", () => {
  test("sends each position to the ingest of its market, and rejects what lies in none", async () => {
    const taken: string[] = [];
    await using gateway = await startGateway({ ingest: durableIngest(taken) });
    const client = createClient(DriverService, createWebTransport({ baseUrl: gateway.url }));
    const positions = [
      position(1),
      position(2),
      position(3, london),
      position(4, { latitude: 0, longitude: 0 }),
      position(5, { latitude: 99, longitude: 0 }),
      { ...position(6), location: { latitude: Number.NaN, longitude: 0 } },
      { ...position(7), sequence: beyondNumbers },
    ];
    const answer = await client.reportPositions({ positions }, withBearer(await gateway.token("driver", "d-1")));
    expect(taken.toSorted()).toEqual(["ewr/d-1:1,2", "lhr/d-1:3"]);
    expect(answer.ackedSequence).toBe(3n);
    expect(answer.rejected.map(({ sequence, reason }) => [sequence, reason])).toEqual([
      [4n, PositionRejection.OUTSIDE_SERVICE_AREA],
      [5n, PositionRejection.OUT_OF_RANGE],
      [6n, PositionRejection.OUT_OF_RANGE],
      [beyondNumbers, PositionRejection.OUT_OF_RANGE],
    ]);
  });

  test("outlives an ingest that breaks: what was not answered is sent again", async () => {
    const taken: string[] = [];
    let streams = 0;
    await using gateway = await startGateway({
      ingest: () => ({
        async *forwardPositions(requests) {
          const stream = ++streams;
          for await (const page of requests) {
            if (stream < 3) throw apiError("DEPENDENCY_AWAY", "the log is away");
            taken.push(...runsIn(page).map(({ driverId }) => driverId));
            yield durable(page);
          }
        },
      }),
    });
    const client = createClient(DriverService, grpcTransport(gateway));
    const drivers = ["d-1", "d-2", "d-3"];
    const answers = await Promise.all(
      drivers.map(async (driver) => client.reportPositions({ positions: [position(1)] }, withBearer(await gateway.token("driver", driver)))),
    );
    expect(answers.map(({ ackedSequence }) => ackedSequence)).toEqual([1n, 1n, 1n]);
    expect(taken.toSorted()).toEqual(drivers);
  });

  test("an ingest that never answers is DEPENDENCY_AWAY, and nothing is acknowledged", async () => {
    await using gateway = await startGateway({
      ingest: () => ({
        // oxlint-disable-next-line require-yield
        async *forwardPositions(_, { signal }) {
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
        },
      }),
    });
    const error = await failure(
      createClient(DriverService, connectTransport(gateway)).reportPositions({ positions: [position(1)] }, withBearer(await gateway.token("driver", "d-1"))),
    );
    expect(reasonOf(error)).toBe("DEPENDENCY_AWAY");
  }, 10_000);
});

describe("StreamPositions", () => {
  for (const [name, transport] of [
    ["Connect", connectTransport],
    ["native gRPC", grpcTransport],
  ] as const) {
    test(`acknowledges in order over ${name}`, async () => {
      const taken: string[] = [];
      await using gateway = await startGateway({ ingest: durableIngest(taken) });
      async function* positions() {
        for (let sequence = 1; sequence <= 100; sequence++) yield position(sequence, sequence === 50 ? { latitude: 0, longitude: 0 } : nyc);
      }
      const acks: bigint[] = [];
      const rejected: bigint[] = [];
      for await (const answer of createClient(DriverService, transport(gateway)).streamPositions(
        positions(),
        withBearer(await gateway.token("driver", "d-1")),
      )) {
        acks.push(answer.ackedSequence);
        rejected.push(...answer.rejected.map(({ sequence }) => sequence));
      }
      expect(acks.at(-1)).toBe(100n);
      expect(acks).toEqual(acks.toSorted((a, b) => Number(a - b)));
      expect(rejected).toEqual([50n]);
      expect(taken.flatMap((run) => run.slice("ewr/d-1:".length).split(",")).map(Number)).toEqual(
        Array.from({ length: 100 }, (_, index) => index + 1).filter((sequence) => sequence !== 50),
      );
    });
  }

  test("a newer stream of the same driver ends the older with SUPERSEDED, and of another driver does not", async () => {
    await using gateway = await startGateway({ ingest: durableIngest([]) });
    const first = await openStream(gateway, "d-1");
    const other = await openStream(gateway, "d-2");
    const ended = failure(first.answers.next());
    const second = await openStream(gateway, "d-1");
    const error = await ended;
    expect([error.code, reasonOf(error)]).toEqual([Code.Aborted, "SUPERSEDED"]);
    for (const stream of [second, other]) {
      stream.send(2);
      expect((await stream.answers.next()).value?.ackedSequence).toBe(2n);
      stream.end();
    }
    first.end();
  });

  test("a newer stream on another gateway ends the older with its next position", async () => {
    let newest = "";
    const ingest: Behind["ingest"] = () => ({
      async *forwardPositions(requests: AsyncIterable<ForwardPositionsRequest>) {
        for await (const page of requests) {
          const runs = runsIn(page);
          const supersededRuns = runs.flatMap(({ run, streamId }) => (streamId < newest ? [run] : []));
          newest = runs.reduce((highest, { streamId }) => (streamId > highest ? streamId : highest), newest);
          yield { ...durable(page), supersededRuns };
        }
      },
    });
    await using here = await startGateway({ ingest });
    await using there = await startGateway({ ingest });
    const first = await openStream(here, "d-1");
    const second = await openStream(there, "d-1");
    const ended = failure(first.answers.next());
    first.send(2);
    const error = await ended;
    expect([error.code, reasonOf(error)]).toEqual([Code.Aborted, "SUPERSEDED"]);
    second.send(2);
    expect((await second.answers.next()).value?.ackedSequence).toBe(2n);
    for (const stream of [first, second]) stream.end();
  });

  /** Open once its first position is acknowledged. */
  async function openStream(gateway: TestGateway, driver: string) {
    const queue: number[] = [1];
    let wake = (): void => {};
    let ended = false;
    async function* positions() {
      while (!ended) {
        const sequence = queue.shift();
        if (sequence === undefined) await new Promise<void>((resolve) => (wake = resolve));
        else yield position(sequence);
      }
    }
    const answers = iterate(
      createClient(DriverService, connectTransport(gateway)).streamPositions(positions(), withBearer(await gateway.token("driver", driver))),
    );
    expect((await answers.next()).value?.ackedSequence).toBe(1n);
    return {
      answers,
      send: (sequence: number) => {
        queue.push(sequence);
        wake();
      },
      end: () => {
        ended = true;
        wake();
      },
    };
  }
});

describe("WatchOffers", () => {
  test("follows the driver to the region of a new shift, from the cursor it had", async () => {
    let home = "";
    const opened: string[] = [];
    await using gateway = await startGateway({
      coordinator: {
        ...coordinatorWith([]),
        locateDriver: () => ({ homeRegion: home }),
        goOnline: () => {
          home = "lhr";
          return { driver: { driverId: "d-1", homeRegion: home, status: DriverStatus.AVAILABLE, version: 1n } };
        },
      },
      state: (region) => ({
        async *watchDriver({ command, driverId }, { signal }) {
          opened.push(`${region}:${command?.cursor}`);
          const online = region === "lhr";
          yield {
            message: {
              cursor: online ? "d.1" : "d.0",
              update: { case: "driver", value: { driverId, homeRegion: online ? region : "", status: online ? DriverStatus.AVAILABLE : DriverStatus.OFFLINE } },
            },
          };
          await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        },
      }),
    });
    const bearer = withBearer(await gateway.token("driver", "d-1"));
    const client = createClient(DriverService, grpcTransport(gateway));
    const left = new AbortController();
    const messages = client.watchOffers({}, { ...bearer, signal: left.signal })[Symbol.asyncIterator]();
    expect((await messages.next()).value?.update.value).toMatchObject({ status: DriverStatus.OFFLINE });
    await client.goOnline({ requestId, location: london, vehicle: { seats: 4, plate: "AB12", model: "m" } }, bearer);
    expect((await messages.next()).value?.update.value).toMatchObject({ status: DriverStatus.AVAILABLE, homeRegion: "lhr" });
    expect(opened).toEqual(["ewr:", "lhr:d.0"]);
    left.abort();
  });

  test("two streams of one driver live side by side", async () => {
    let open = 0;
    await using gateway = await startGateway({
      coordinator: { locateDriver: () => ({ homeRegion: "ewr" }) },
      state: () => ({
        async *watchDriver(_, { signal }) {
          open++;
          yield { message: { cursor: "d.1", update: { case: "driver", value: { status: DriverStatus.AVAILABLE } } } };
          await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
          open--;
        },
      }),
    });
    const left = new AbortController();
    const bearer = withBearer(await gateway.token("driver", "d-1"));
    const streams = [connectTransport(gateway), grpcTransport(gateway)].map((transport) =>
      iterate(createClient(DriverService, transport).watchOffers({}, { ...bearer, signal: left.signal })),
    );
    for (const stream of streams) expect((await stream.next()).done).toBe(false);
    expect(open).toBe(2);
    left.abort();
    await eventually(() => open === 0, { what: "both feeds to end behind the gateway" });
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
