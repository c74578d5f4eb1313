/** A market as operators see it: drivers with positions and staleness, open rides, cells; then what changes, once a second at most. */
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@ridegrid/contracts";
import { MarketStateSchema, PositionBatchSchema } from "@ridegrid/contracts/gen/event/v1/events_pb";
import type { WatchMarketResponse } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { DriverStatus } from "@ridegrid/contracts/gen/type/v1/driver_pb";
import { RideStatus } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import { reasonOf, type Role } from "@ridegrid/rpc";
import { createSeededRandom, createSequentialIds, eventually } from "@ridegrid/testing";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createCity, offerAccepted, offerSent } from "./city.fixture.ts";
import { as, createTestRegion, region, type StateProcess, type TestRegion } from "./region.fixture.ts";

let ewr: TestRegion;
let process: StateProcess;

beforeAll(async () => {
  ewr = await createTestRegion();
  process = await ewr.process();
}, 30_000);
afterAll(() => ewr.close(), 30_000);

/** What one watcher knows, kept by what it is told; `until` reads on until it knows that. */
function watcher(role: Role = "viewer") {
  const leaving = new AbortController();
  const stream = process.client.watchMarket({ command: { marketId: "nyc" } }, as(role, "o-1", leaving.signal))[Symbol.asyncIterator]();
  const drivers = new Map<string, WatchMarketResponse["drivers"][number]>();
  const rides = new Map<string, WatchMarketResponse["rides"][number]>();
  const cells = new Map<string, WatchMarketResponse["cells"][number]>();
  let messages = 0;
  async function read(): Promise<WatchMarketResponse | undefined> {
    const { value } = await stream.next();
    const message = value?.message;
    if (message === undefined) return undefined;
    messages++;
    if (message.snapshot) for (const known of [drivers, rides, cells]) known.clear();
    for (const one of message.drivers) drivers.set(one.driverId, one);
    for (const id of message.removedDriverIds) drivers.delete(id);
    for (const one of message.rides) rides.set(one.rideId, one);
    for (const one of message.cells) cells.set(one.cell, one);
    return message;
  }
  return {
    drivers,
    rides,
    cells,
    messages: () => messages,
    read,
    async until(known: () => boolean): Promise<void> {
      while (!known()) await read();
    },
    leave: () => leaving.abort(),
  };
}

async function report(driverId: string, latitude: number, observedAtMs: number): Promise<void> {
  const columns = {
    driverIds: [driverId],
    sequences: [1n],
    latitudes: [latitude],
    longitudes: [-74],
    headingsDegrees: [90],
    observeTimesMs: [BigInt(observedAtMs)],
  };
  const batch = create(PositionBatchSchema, { marketId: "nyc", ...columns });
  await ewr.log.append(`${region}.driver-telemetry.v1`, 0, [{ key: "nyc", value: toBinary(PositionBatchSchema, batch), headers: {} }]);
}

async function tellCells(cells: readonly { readonly cell: string; readonly supply: number; readonly demand: number }[]): Promise<void> {
  const state = create(MarketStateSchema, { marketId: "nyc", asOf: timestampFromMs(Date.now()), cells: cells.map((one) => ({ ...one, surgeMultiplier: 1 })) });
  await ewr.log.append(`${region}.market-state.v1`, 0, [{ key: "nyc", value: toBinary(MarketStateSchema, state), headers: {} }]);
}

describe("WatchMarket", () => {
  test("shows drivers, open rides and cells, follows them, and tells of an ended ride a last time", async () => {
    const ids = createSequentialIds(900);
    const city = createCity({ random: createSeededRandom(900), ids });
    const { rideId, change } = city.request("r-map");
    await ewr.append([city.goOnline("d-map"), city.goOnline("d-silent"), change]);
    await report("d-map", 40.71, Date.now());
    await report("d-silent", 40.72, Date.now() - 21_000);
    await tellCells([{ cell: "872a1008bffffff", supply: 2, demand: 1 }]);
    await eventually(async () => (await ewr.sql`SELECT FROM ride_view WHERE ride_id = ${rideId}`).length === 1, { what: "the ride to be folded" });

    const seen = watcher();
    const first = await seen.read();
    expect(first?.snapshot).toBe(true);
    await seen.until(() => seen.drivers.get("d-silent")?.location !== undefined && seen.cells.size === 1);
    expect(seen.drivers.get("d-map")).toMatchObject({ status: DriverStatus.AVAILABLE, stale: false, location: { latitude: 40.71 }, headingDegrees: 90 });
    expect(seen.drivers.get("d-silent")).toMatchObject({ stale: true });
    expect(seen.rides.get(rideId)).toMatchObject({ status: RideStatus.REQUESTED, driverId: "", pickup: { latitude: 40.7 } });
    expect(seen.cells.get("872a1008bffffff")).toMatchObject({ supply: 2, demand: 1 });

    await ewr.append([city.happen(rideId, offerSent(ids), "d-map"), city.happen(rideId, offerAccepted(city.ride(rideId)))]);
    await seen.until(() => seen.rides.get(rideId)?.status === RideStatus.ASSIGNED);
    expect(seen.rides.get(rideId)).toMatchObject({ driverId: "d-map" });
    await seen.until(() => seen.drivers.get("d-map")?.status === DriverStatus.EN_ROUTE);
    const offer = city.ride(rideId).offer?.offerId ?? null;
    await ewr.append([city.happen(rideId, { type: "RideCanceled", by: "rider", reason: "other", fee: null, offerId: offer })]);
    await tellCells([]);
    await seen.until(() => seen.rides.get(rideId)?.status === RideStatus.CANCELED && seen.cells.get("872a1008bffffff")?.supply === 0);
    seen.leave();
    const later = watcher();
    await later.read();
    expect(later.rides.has(rideId)).toBe(false);
    later.leave();
  }, 30_000);

  test("a reader that stayed away gets one message for all it missed", async () => {
    const slow = watcher();
    await slow.read();
    const quick = watcher();
    for (let step = 1; step <= 3; step++) {
      await report("d-map", 41 + step, Date.now());
      await quick.until(() => quick.drivers.get("d-map")?.location?.latitude === 41 + step);
    }
    const before = slow.messages();
    await slow.until(() => slow.drivers.get("d-map")?.location?.latitude === 44);
    // One may have been on its way before the reader went away.
    expect(slow.messages() - before).toBeLessThanOrEqual(2);
    slow.leave();
    quick.leave();
  }, 30_000);

  test("riders and drivers are refused, and a market that this region could never serve", async () => {
    for (const role of ["rider", "driver"] as const) expect(reasonOf(await failure(watcher(role).read()))).toBe("ROLE_NOT_ALLOWED");
    const elsewhere = process.client.watchMarket({ command: { marketId: "mars" } }, as("operator", "o-1"))[Symbol.asyncIterator]();
    expect(reasonOf(await failure(elsewhere.next()))).toBe("FIELD_INVALID");
  });
});

function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => new Error("the call succeeded"),
    (error: unknown) => error,
  );
}
