/** Streams that are cut anywhere and resumed by their cursor miss nothing and repeat nothing, whichever process folds. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { rideToWire } from "@ridegrid/contracts";
import type { WatchOffersResponse } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { PositionBatchSchema } from "@ridegrid/contracts/gen/event/v1/events_pb";
import type { WatchRideResponse } from "@ridegrid/contracts/gen/rider/v1/rider_service_pb";
import { DriverStatus } from "@ridegrid/contracts/gen/type/v1/driver_pb";
import { OfferStatus, type Ride as WireRide, RideStatus } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import type { Random, Ride } from "@ridegrid/domain";
import { reasonOf } from "@ridegrid/rpc";
import { createSeededRandom, createSequentialIds, eventually } from "@ridegrid/testing";
import { setTimeout as sleep } from "node:timers/promises";
import { type Change, type City, createCity, offerAccepted, offerSent } from "./city.fixture.ts";
import { as, createTestRegion, region, type StateProcess, type TestRegion } from "./region.fixture.ts";

let ewr: TestRegion;
/** The first one folds; the second one learns by the shared poll. */
let processes: readonly [StateProcess, StateProcess];
let seed = 500;

beforeAll(async () => {
  ewr = await createTestRegion();
  processes = [await ewr.process(), await ewr.process()];
}, 30_000);
afterAll(() => ewr.close(), 30_000);

function newCity(options: { readonly nowMs?: () => number } = {}) {
  const ids = createSequentialIds(++seed);
  return { ids, city: createCity({ random: createSeededRandom(seed), ids, ...options }) };
}

type Messages<T> = { readonly take: (count: number) => Promise<readonly T[]>; readonly leave: () => void };

/** Takes messages of a stream one by one; leaving aborts the call. */
function messages<T>(open: (signal: AbortSignal) => AsyncIterable<{ readonly message?: T | undefined }>): Messages<T> {
  const leaving = new AbortController();
  const iterator = open(leaving.signal)[Symbol.asyncIterator]();
  return {
    async take(count) {
      const taken: T[] = [];
      while (taken.length < count) {
        const { value, done } = await iterator.next();
        if (done === true) return taken;
        if (value.message !== undefined) taken.push(value.message);
      }
      return taken;
    },
    leave: () => leaving.abort(),
  };
}

const watchRide = (process: StateProcess, rideId: string, cursor = "", rider = "r-0") =>
  messages<WatchRideResponse>((signal) => process.client.watchRide({ region, command: { rideId, cursor } }, as("rider", rider, signal)));
const watchDriver = (process: StateProcess, driverId: string, cursor = "") =>
  messages<WatchOffersResponse>((signal) => process.client.watchDriver({ region, driverId, command: { cursor } }, as("driver", driverId, signal)));

/** Follows until `isLast`, through cuts at random places; each part goes to a random process. */
async function followThroughCuts<T extends { readonly cursor: string }>(
  open: (process: StateProcess, cursor: string) => Messages<T>,
  isLast: (message: T) => boolean,
  random: Random,
) {
  const taken: T[] = [];
  let cuts = 0;
  for (;;) {
    const stream = open(processes[random.next() < 0.5 ? 0 : 1], taken.at(-1)?.cursor ?? "");
    for (let left = 1 + Math.floor(random.next() * 4); left > 0; left--) {
      const [message] = await stream.take(1);
      if (message === undefined) throw new Error("the stream ended by itself");
      taken.push(message);
      if (isLast(message)) {
        stream.leave();
        return { taken, cuts };
      }
    }
    stream.leave();
    cuts++;
  }
}

const range = (from: number, to: number): readonly number[] => Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
const versionOf = (cursor: string): number => Number(cursor.split(".")[1]);

describe("streams cut at random", () => {
  for (const run of [1, 2, 3]) {
    test(`ride and driver streams resume without a gap or a duplicate (seed ${run})`, async () => {
      const random = createSeededRandom(run);
      const { city } = newCity();
      const drivers = range(1, 4).map((index) => `d-cut-${run}-${index}`);
      const changes: Change[] = [...drivers.map((driver) => city.goOnline(driver)), ...range(1, 120).map(() => city.step())];
      const rides = city.rides();
      const following = Promise.all([followRides(rides, random), followDrivers(city, drivers, random)]);
      await feedSlowly(changes, random);
      const [ofRides, ofDrivers] = await following;
      for (const { taken, version } of ofRides) {
        const versions = taken.map((message) => versionOf(message.cursor));
        expect({ run, versions }).toEqual({ run, versions: [...range(versions[0] ?? 0, version)] });
        for (const { update, cursor } of taken) expect((update.value as WireRide).version).toBe(BigInt(versionOf(cursor)));
      }
      for (const { taken, version } of ofDrivers) {
        const versions = taken.filter(({ cursor }) => cursor.split(".").length === 2).map(({ cursor }) => versionOf(cursor));
        expect({ run, versions }).toEqual({ run, versions: [...range(versions[0] ?? 0, version)] });
      }
      expect(allTaken([...ofRides, ...ofDrivers]).filter((message) => message.reset)).toEqual([]);
      const cuts = [...ofRides, ...ofDrivers].reduce((sum, one) => sum + one.cuts, 0);
      expect(cuts).toBeGreaterThan(20);
    }, 30_000);
  }
});

/** The streams are open before the first event: they see every version from the first on. */
function followRides(rides: readonly Ride[], random: Random) {
  return Promise.all(
    rides.slice(0, 12).map(async ({ rideId, riderId, version }) => {
      const open = (process: StateProcess, cursor: string) => watchRide(process, rideId, cursor, riderId);
      return { version, ...(await followThroughCuts(open, (message) => versionOf(message.cursor) >= version, createSeededRandom(random.next() * 1e9))) };
    }),
  );
}

function followDrivers(city: City, drivers: readonly string[], random: Random) {
  return Promise.all(
    drivers.map(async (driver) => {
      const { version } = city.driver(driver);
      const open = (process: StateProcess, cursor: string) => watchDriver(process, driver, cursor);
      return { version, ...(await followThroughCuts(open, (message) => message.cursor === `d.${version}`, createSeededRandom(random.next() * 1e9))) };
    }),
  );
}

function allTaken(streams: readonly { readonly taken: readonly { readonly reset: boolean }[] }[]) {
  return streams.flatMap((stream) => stream.taken);
}

async function feedSlowly(changes: readonly Change[], random: Random): Promise<void> {
  for (let from = 0; from < changes.length;) {
    const count = 1 + Math.floor(random.next() * 6);
    await ewr.append(changes.slice(from, from + count));
    from += count;
    await sleep(random.next() * 20);
  }
}

function assigned(given: { readonly city: City; readonly ids: ReturnType<typeof createSequentialIds> }, driver: string) {
  const { city, ids } = given;
  const online = city.goOnline(driver);
  const { rideId, change } = city.request("r-0");
  return {
    rideId,
    changes: [online, change, city.happen(rideId, offerSent(ids, Date.now() + 15_000), driver), city.happen(rideId, offerAccepted(city.ride(rideId)))],
  };
}

describe("WatchRide", () => {
  test("begins with the ride as it is, then tells each version as the ride was folded at it", async () => {
    const given = newCity();
    const { rideId, changes } = assigned(given, "d-begin");
    const stream = watchRide(processes[1], rideId);
    await ewr.append(changes.slice(0, 2));
    const [first] = await stream.take(1);
    expect(first).toMatchObject({ cursor: "r.1", reset: false, update: { case: "ride", value: { status: RideStatus.REQUESTED } } });
    await ewr.append(changes.slice(2));
    const [second, third] = await stream.take(2);
    expect(second).toMatchObject({ cursor: "r.2", update: { value: { status: RideStatus.OFFERED } } });
    expect(third).toMatchObject({ cursor: "r.3", update: { value: rideToWire(given.city.ride(rideId)) } });
    stream.leave();
    const resumed = watchRide(processes[0], rideId, "r.1");
    expect((await resumed.take(2)).map((message) => message.cursor)).toEqual(["r.2", "r.3"]);
    resumed.leave();
  });

  test("a cursor whose events are no longer kept gets the ride as it is, marked reset", async () => {
    const given = newCity();
    const { rideId, changes } = assigned(given, "d-reset");
    await ewr.append(changes);
    await eventually(async () => (await ewr.sql`SELECT FROM ride_view WHERE ride_id = ${rideId} AND version = 3`).length === 1);
    await ewr.sql`DELETE FROM ride_event WHERE ride_id = ${rideId} AND version < 3`;
    const resumed = watchRide(processes[0], rideId, "r.1");
    expect(await resumed.take(1)).toMatchObject([{ cursor: "r.3", reset: true, update: { case: "ride" } }]);
    resumed.leave();
  });

  test("a cursor ahead of what is folded here waits for what comes after it", async () => {
    const given = newCity();
    const { rideId, changes } = assigned(given, "d-ahead");
    await ewr.append(changes.slice(0, 3));
    await eventually(async () => (await ewr.sql`SELECT FROM ride_view WHERE ride_id = ${rideId} AND version = 2`).length === 1);
    const ahead = watchRide(processes[0], rideId, "r.3");
    const next = ahead.take(1);
    const beside = watchRide(processes[0], rideId);
    expect((await beside.take(1)).map(({ cursor }) => cursor)).toEqual(["r.2"]);
    const cancel = { type: "RideCanceled", by: "rider", reason: "other", fee: null, offerId: given.city.ride(rideId).offer?.offerId ?? null } as const;
    await ewr.append([...changes.slice(3), given.city.happen(rideId, cancel)]);
    expect((await next).map(({ cursor, reset }) => [cursor, reset])).toEqual([["r.4", false]]);
    ahead.leave();
    beside.leave();
  });

  test("a version that is missing in the middle ends in the ride as it is, marked reset", async () => {
    const given = newCity();
    const { rideId, changes } = assigned(given, "d-hole");
    await ewr.append(changes);
    await eventually(async () => (await ewr.sql`SELECT FROM ride_view WHERE ride_id = ${rideId} AND version = 3`).length === 1);
    await ewr.sql`DELETE FROM ride_event WHERE ride_id = ${rideId} AND version = 2`;
    const resumed = watchRide(processes[0], rideId, "r.1");
    expect(await resumed.take(1)).toMatchObject([{ cursor: "r.3", reset: true, update: { value: { status: RideStatus.ASSIGNED } } }]);
    resumed.leave();
  });

  test("another person's ride is not found, a cursor of another kind is refused", async () => {
    const given = newCity();
    const { rideId, changes } = assigned(given, "d-theirs");
    await ewr.append(changes);
    const theirs = await watchRide(processes[0], rideId, "", "r-other")
      .take(1)
      .catch((error: unknown) => error);
    expect(reasonOf(theirs)).toBe("RIDE_NOT_FOUND");
    for (const cursor of ["d.1", "r.0", "r.", "r.1.1", "42"]) {
      const refused = await watchRide(processes[0], rideId, cursor)
        .take(1)
        .catch((error: unknown) => error);
      expect(reasonOf(refused)).toBe("FIELD_INVALID");
    }
  });

  test("shows where the assigned driver is with the time to the pickup, and never moves it backwards", async () => {
    const given = newCity();
    const { rideId, changes } = assigned(given, "d-seen");
    await ewr.append(changes);
    const stream = watchRide(processes[1], rideId);
    expect(await eventually(async () => (await stream.take(1))[0]?.cursor === "r.3")).toBe(true);
    const now = Date.now();
    await report("d-seen", [
      { latitude: 40.71, observedAtMs: now, sequence: 2n },
      { latitude: 40.75, observedAtMs: now - 1_000, sequence: 1n },
    ]);
    const [location] = await stream.take(1);
    expect(location).toMatchObject({ cursor: "r.3", update: { case: "driverLocation", value: { location: { latitude: 40.71, longitude: -74 } } } });
    // 0.01° of latitude is 1,112 m; at 7.8 m/s with a detour of 1.35 that is 192 s.
    expect(location?.update.case === "driverLocation" && location.update.value.etaSeconds).toBe(192);
    stream.leave();
  });
});

async function report(driver: string, rows: readonly { readonly latitude: number; readonly observedAtMs: number; readonly sequence: bigint }[]): Promise<void> {
  const batch = create(PositionBatchSchema, {
    marketId: "nyc",
    driverIds: rows.map(() => driver),
    sequences: rows.map((row) => row.sequence),
    latitudes: rows.map((row) => row.latitude),
    longitudes: rows.map(() => -74),
    headingsDegrees: rows.map(() => 0),
    observeTimesMs: rows.map((row) => BigInt(row.observedAtMs)),
  });
  await ewr.log.append(`${region}.driver-telemetry.v1`, 0, [{ key: "nyc", value: toBinary(PositionBatchSchema, batch), headers: {} }]);
}

describe("WatchDriver", () => {
  test("a driver never seen is offline at version 0, then each version is one update", async () => {
    const given = newCity();
    const { city, ids } = given;
    const stream = watchDriver(processes[1], "d-new");
    expect(await stream.take(1)).toMatchObject([{ cursor: "d.0", update: { case: "driver", value: { status: DriverStatus.OFFLINE, version: 0n } } }]);
    const { rideId, changes } = assigned(given, "d-new");
    await ewr.append(changes);
    const [online, offer, accepted] = await stream.take(3);
    expect(online).toMatchObject({ cursor: "d.1", update: { case: "driver", value: { status: DriverStatus.AVAILABLE } } });
    expect(offer).toMatchObject({ cursor: "d.2", update: { case: "offer", value: { rideId, pickupEtaSeconds: 120, fare: { amountMinor: 1_234n } } } });
    expect(offer?.update.case === "offer" && offer.update.value.expiresInMs).toBeWithin(5_000, 15_001);
    expect(accepted).toMatchObject({ cursor: "d.3", update: { case: "ride", value: { status: RideStatus.ASSIGNED } } });
    const canceled = city.happen(rideId, { type: "RideCanceled", by: "rider", reason: "other", fee: null, offerId: city.ride(rideId).offer?.offerId ?? null });
    const again = city.request("r-0");
    const sent = city.happen(again.rideId, offerSent(ids), "d-new");
    const offerId = city.ride(again.rideId).offer?.offerId ?? "";
    await ewr.append([
      canceled,
      again.change,
      sent,
      city.happen(again.rideId, { type: "OfferExpired", offerId: city.ride(again.rideId).offer?.offerId ?? ("" as never) }),
    ]);
    const [ended, , expired] = await stream.take(3);
    expect(ended).toMatchObject({ cursor: "d.4", update: { case: "ride", value: { status: RideStatus.CANCELED } } });
    expect(expired).toMatchObject({ cursor: "d.6", update: { case: "offerWithdrawn", value: { offerId, rideId: again.rideId, status: OfferStatus.EXPIRED } } });
    stream.leave();
  });

  test("a snapshot cut between its messages goes on with the rest", async () => {
    const given = newCity();
    const { changes } = assigned(given, "d-parts");
    await ewr.append(changes.slice(0, 3));
    await eventually(async () => (await ewr.sql`SELECT FROM driver_view WHERE driver_id = 'd-parts' AND version = 2`).length === 1);
    const first = watchDriver(processes[0], "d-parts");
    const [driver] = await first.take(1);
    first.leave();
    expect(driver?.update).toMatchObject({ case: "driver", value: { status: DriverStatus.OFFERED } });
    await ewr.append(changes.slice(3));
    await eventually(async () => (await ewr.sql`SELECT FROM driver_view WHERE driver_id = 'd-parts' AND version = 3`).length === 1);
    const rest = watchDriver(processes[1], "d-parts", driver?.cursor);
    expect((await rest.take(2)).map((message) => [message.cursor, message.reset, message.update.case])).toEqual([
      ["d.2", false, "offer"],
      ["d.3", false, "ride"],
    ]);
    rest.leave();
  });

  test("a cursor beyond what is kept gets a snapshot marked reset", async () => {
    const given = newCity();
    const { changes } = assigned(given, "d-old");
    await ewr.append(changes);
    await eventually(async () => (await ewr.sql`SELECT FROM driver_view WHERE driver_id = 'd-old' AND version = 3`).length === 1);
    await ewr.sql`DELETE FROM driver_event WHERE driver_id = 'd-old' AND version < 3`;
    const stream = watchDriver(processes[0], "d-old", "d.1");
    expect((await stream.take(2)).map((message) => [message.cursor, message.reset, message.update.case])).toEqual([
      ["d.3.1", true, "driver"],
      ["d.3", false, "ride"],
    ]);
    stream.leave();
  });

  test("a version that is missing in the middle, or at the end, ends in a snapshot marked reset", async () => {
    for (const [driver, missing] of [
      ["d-hole-1", 2],
      ["d-hole-2", 3],
    ] as const) {
      const given = newCity();
      const { changes } = assigned(given, driver);
      await ewr.append(changes);
      await eventually(async () => (await ewr.sql`SELECT FROM driver_view WHERE driver_id = ${driver} AND version = 3`).length === 1);
      await ewr.sql`DELETE FROM driver_event WHERE driver_id = ${driver} AND version = ${missing}`;
      const stream = watchDriver(processes[0], driver, missing === 2 ? "d.1" : "d.2");
      expect((await stream.take(2)).map((message) => [message.cursor, message.reset])).toEqual([
        ["d.3.1", true],
        ["d.3", false],
      ]);
      stream.leave();
    }
  });

  test("another driver's stream is refused", async () => {
    const stream = messages<WatchOffersResponse>((signal) =>
      processes[0].client.watchDriver({ region, driverId: "d-1", command: {} }, as("driver", "d-2", signal)),
    );
    expect(reasonOf(await stream.take(1).catch((error: unknown) => error))).toBe("ROLE_NOT_ALLOWED");
  });
});
