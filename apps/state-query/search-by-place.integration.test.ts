/** Drivers and rides found by place through the whole process: positions from the log, states from the fold. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { PositionBatchSchema } from "@ridegrid/contracts/gen/event/v1/events_pb";
import { reasonOf } from "@ridegrid/rpc";
import { createSeededRandom, createSequentialIds, eventually } from "@ridegrid/testing";
import { createCity, offerSent } from "./city.fixture.ts";
import { createTestRegion, operator, region, type StateProcess, type TestRegion } from "./region.fixture.ts";

let ewr: TestRegion;
let process: StateProcess;
const ids = createSequentialIds(901);
const city = createCity({ random: createSeededRandom(901), ids });

beforeAll(async () => {
  ewr = await createTestRegion();
  process = await ewr.process();
}, 30_000);
afterAll(() => ewr.close(), 30_000);

const near = { latitude: 40.7, longitude: -74 };

async function report(latitudes: Readonly<Record<string, number>>, observedAtMs: number, sequence: number): Promise<void> {
  const each = <T>(value: T): T[] => Object.keys(latitudes).map(() => value);
  const columns = { sequences: each(BigInt(sequence)), longitudes: each(-74), headingsDegrees: each(90), observeTimesMs: each(BigInt(observedAtMs)) };
  const batch = create(PositionBatchSchema, { marketId: "nyc", driverIds: Object.keys(latitudes), latitudes: Object.values(latitudes), ...columns });
  await ewr.log.append(`${region}.driver-telemetry.v1`, 0, [{ key: "nyc", value: toBinary(PositionBatchSchema, batch), headers: {} }]);
}

async function drivers(command: { readonly radiusMeters?: number; readonly limit?: number } = {}) {
  return (await process.client.searchDrivers({ region, command: { near, ...command } }, operator)).drivers;
}

test("SearchDrivers finds available drivers where they were last, nearest first", async () => {
  const { rideId, change } = city.request("r-place");
  await ewr.append([city.goOnline("d-far"), city.goOnline("d-near"), city.goOnline("d-off"), city.goOnline("d-offered"), change]);
  await ewr.append([city.happen(rideId, offerSent(ids), "d-offered")]);
  const startMs = Date.now();
  await report({ "d-far": 40.72, "d-near": 40.71, "d-off": 42, "d-offered": 40.7, nobody: 40.7 }, startMs, 1);
  const found = async () => (await drivers()).map(({ driver }) => driver?.driverId);
  await eventually(async () => (await found()).length === 2, { what: "both drivers to be found" });
  expect(await found()).toEqual(["d-near", "d-far"]);
  const [nearest] = await drivers({ limit: 1 });
  expect(nearest).toMatchObject({ driver: { stale: false, headingDegrees: 90, location: { latitude: 40.71, longitude: -74 } }, marketId: "nyc", region });
  expect(nearest?.distanceMeters).toBeCloseTo(1_111.95, 1);
  expect(await drivers({ radiusMeters: 1_000 })).toEqual([]);

  await report({ "d-near": 40.719 }, startMs + 1, 2);
  await eventually(async () => ((await drivers({ limit: 1 }))[0]?.distanceMeters ?? 0) > 2_000, { what: "the newer position to be shown" });
  await eventually(async () => (await ewr.sql`SELECT FROM driver_position WHERE driver_id = 'd-near' AND latitude = 40.719`).length === 1, {
    what: "the newer position to be recorded",
  });
}, 30_000);

test("SearchRides finds the rides picked up in an area", async () => {
  const search = async (latitude: number, openOnly = false) => {
    const area = { center: { latitude, longitude: -74 }, radiusMeters: 2_000 };
    return (await process.client.searchRides({ region, command: { openOnly, area } }, operator)).page?.rides.map(({ riderId }) => riderId);
  };
  const { rideId, change } = city.request("r-gone");
  await ewr.append([change, city.happen(rideId, { type: "RideCanceled", by: "rider", reason: "other", fee: null, offerId: null })]);
  await eventually(async () => (await ewr.sql`SELECT FROM ride_view WHERE ride_id = ${rideId} AND NOT open`).length === 1, { what: "the ride to be folded" });
  expect(await search(40.71)).toEqual(["r-gone", "r-place"]);
  expect(await search(40.71, true)).toEqual(["r-place"]);
  expect(await search(40.72)).toEqual([]);
}, 30_000);

test("a search by place of another region is refused", async () => {
  const error = await process.client.searchDrivers({ region: "lhr", command: { near } }, operator).catch((cause: unknown) => cause);
  expect(reasonOf(error)).toBe("FIELD_INVALID");
});
