/** What searches by place must do in whatever form the database has them. Every answer is compared with brute force over all points. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { haversineMeters, type LatLng, type Random } from "@ridegrid/domain";
import type { Sql } from "@ridegrid/runtime";
import { createSeededRandom, type TestDatabase } from "@ridegrid/testing";
import { migrateState } from "./app.ts";
import type { GeographyForm } from "./choose-geography.ts";
import { createPostgresDriverPlaces } from "./driver-places.postgres.ts";
import type { DriverPlaces } from "./driver-places.ts";
import { addDrivers, addRides, around, millimeters, nearestByBruteForce, nowMs, type PlacedDriver, type PlacedRide } from "./geography.fixture.ts";
import { createPostgresRideStore } from "./ride-store.postgres.ts";
import type { RideStore } from "./ride-store.ts";

const seed = 20_261_125;
const seenAfterMs = nowMs - 60_000;
/** A dense city, a thin one, the antimeridian, both poles, and where latitude and longitude are 0. */
const centers: readonly (LatLng & { readonly degrees: number; readonly count: number })[] = [
  { latitude: 40.75, longitude: -73.98, degrees: 0.2, count: 1_500 },
  { latitude: 64.14, longitude: -21.94, degrees: 1, count: 100 },
  { latitude: -17.8, longitude: 179.99, degrees: 0.4, count: 300 },
  { latitude: 51.9, longitude: -180, degrees: 0.4, count: 300 },
  { latitude: 89.9, longitude: 30, degrees: 360, count: 300 },
  { latitude: -89.95, longitude: 0, degrees: 360, count: 300 },
  { latitude: 0, longitude: 0, degrees: 0.2, count: 200 },
];

export function geographyConformance(form: GeographyForm, create: () => Promise<TestDatabase>): void {
  let database: TestDatabase;
  let sql: Sql;
  let places: DriverPlaces;
  let rides: RideStore;
  let drivers: readonly PlacedDriver[];
  let pickups: readonly PlacedRide[];

  beforeAll(async () => {
    const random = createSeededRandom(seed);
    database = await create();
    sql = database.sql({ role: "state", schema: "state" });
    expect((await migrateState(sql)).at(-1)).toBe(`geography/${form}.sql`);
    [places, rides] = [createPostgresDriverPlaces({ sql, region: "ewr" }), createPostgresRideStore({ sql, region: "ewr" })];
    drivers = points(random).map((point, index) => ({ ...point, ...someDriver(random, index) }));
    pickups = points(random).map((point, index) => ({ ...point, ...someRide(random, index) }));
    await addDrivers(sql, { places, region: "ewr" }, drivers);
    await addRides(sql, "ewr", pickups);
  }, 60_000);
  afterAll(() => database?.drop());

  test(`${form}: the nearest available drivers are those of brute force: in cities, across the antimeridian, at the poles (seed ${seed})`, async () => {
    const random = createSeededRandom(seed + 1);
    let found = 0;
    for (const center of centers) {
      for (let round = 0; round < 12; round++) {
        const near = around(random, center, Math.min(center.degrees, 2));
        const search = { near, radiusMeters: 50 * 1_000 ** random.next(), seenAfterMs, limit: 1 + Math.floor(random.next() * 100) };
        const answer = await places.nearest(search);
        expect({ search, meters: answer.map(({ distanceMeters }) => millimeters(distanceMeters)) }).toEqual({
          search,
          meters: [...nearestByBruteForce(drivers, search)],
        });
        for (const each of answer) expect(millimeters(haversineMeters(near, each))).toBe(millimeters(each.distanceMeters));
        found += answer.length;
      }
    }
    expect(found).toBeGreaterThan(500);
  });

  test(`${form}: a driver that is not available, silent, or of another region is not found`, async () => {
    const near = { latitude: 10, longitude: 20 };
    const elsewhere = createPostgresDriverPlaces({ sql, region: "lhr" });
    await addDrivers(sql, { places: elsewhere, region: "lhr" }, [{ ...near, driverId: "abroad", status: "available", observedAtMs: nowMs }]);
    await addDrivers(sql, { places, region: "ewr" }, [
      { ...near, driverId: "busy", status: "on_trip", observedAtMs: nowMs },
      { ...near, driverId: "silent", status: "available", observedAtMs: seenAfterMs - 1 },
      { ...near, driverId: "free", status: "available", observedAtMs: seenAfterMs },
    ]);
    const search = { near, radiusMeters: 100, seenAfterMs, limit: 10 };
    expect(await places.nearest(search)).toEqual([
      { ...near, driverId: "free", marketId: "nyc", headingDegrees: 90, observedAtMs: seenAfterMs, distanceMeters: 0 },
    ]);
    expect((await elsewhere.nearest(search)).map(({ driverId }) => driverId)).toEqual(["abroad"]);
  });

  test(`${form}: where nobody is, nobody is found`, async () => {
    const empty = { near: { latitude: 30, longitude: -40 }, radiusMeters: 50_000, seenAfterMs, limit: 100 };
    expect(await places.nearest(empty)).toEqual([]);
    expect(await rides.search(inArea(empty.near, 50_000))).toEqual([]);
  });

  test(`${form}: a driver is where it was last, never moves backwards, and is forgotten when silent`, async () => {
    const [start, later] = [
      { latitude: 15, longitude: 25 },
      { latitude: 15.001, longitude: 25 },
    ];
    await addDrivers(sql, { places, region: "ewr" }, [{ ...start, driverId: "mover", status: "available", observedAtMs: nowMs + 1_000 }]);
    const move = (to: LatLng, observedAtMs: number, sequence: bigint) =>
      places.record([{ driverId: "mover", position: { ...to, headingDegrees: 0, observedAtMs, sequence } }]);
    const where = async () => (await places.nearest({ near: start, radiusMeters: 1_000, seenAfterMs: nowMs, limit: 1 }))[0]?.latitude;
    await move(later, nowMs, 9n);
    expect(await where()).toBe(start.latitude);
    await move(later, nowMs + 1_000, 1n);
    expect(await where()).toBe(start.latitude);
    await move(later, nowMs + 1_000, 2n);
    expect(await where()).toBe(later.latitude);
    expect(await places.forget(nowMs - 3_000_000)).toBe(0);
    await move(start, nowMs + 2_000, 1n);
    await places.forget(nowMs + 2_001);
    expect(await where()).toBeUndefined();
    await addDriversAgain();
  });

  test(`${form}: the rides in an area are those of brute force, newest first, page by page, the open ones when asked (seed ${seed})`, async () => {
    const random = createSeededRandom(seed + 2);
    let found = 0;
    for (const center of centers) {
      for (let round = 0; round < 6; round++) {
        const near = around(random, center, Math.min(center.degrees, 2));
        const radiusMeters = 500 * 100 ** random.next();
        const openOnly = random.next() < 0.5;
        const inside = pickups.filter((ride) => haversineMeters(near, ride) <= radiusMeters && (ride.open || !openOnly));
        const expected = inside.toSorted((left, right) => right.createTimeMs - left.createTimeMs).map(({ rideId }) => rideId);
        const got = await everyPage(rides, { ...inArea(near, radiusMeters), openOnly });
        expect({ near, radiusMeters, openOnly, got }).toEqual({ near, radiusMeters, openOnly, got: expected });
        found += got.length;
      }
    }
    expect(found).toBeGreaterThan(500);
  });

  async function addDriversAgain(): Promise<void> {
    await places.record(
      drivers.map(({ driverId, latitude, longitude, observedAtMs }) => ({
        driverId,
        position: { latitude, longitude, headingDegrees: 90, observedAtMs, sequence: 1n },
      })),
    );
  }
}

function points(random: Random): readonly LatLng[] {
  return centers.flatMap(({ degrees, count, ...center }) => Array.from({ length: count }, () => around(random, center, degrees)));
}

function someDriver(random: Random, index: number): Omit<PlacedDriver, keyof LatLng> {
  const status = random.next() < 0.7 ? "available" : random.next() < 0.5 ? "offered" : "offline";
  return { driverId: `d-${index}`, status, observedAtMs: random.next() < 0.8 ? nowMs : seenAfterMs - 1 };
}

function someRide(random: Random, index: number): Omit<PlacedRide, keyof LatLng> {
  return { rideId: `0199c0de-0000-7000-8000-${String(index).padStart(12, "0")}`, open: random.next() < 0.5, createTimeMs: nowMs + index };
}

function inArea(center: LatLng, radiusMeters: number) {
  return { statuses: [], marketId: "", riderId: "", driverId: "", openOnly: false, area: { center, radiusMeters }, limit: 100, after: null };
}

async function everyPage(rides: RideStore, search: Parameters<RideStore["search"]>[0]): Promise<readonly string[]> {
  const page = await rides.search({ ...search, limit: 37 });
  const last = page.at(-1);
  if (last === undefined) return [];
  const { createTimeMs, rideId } = last;
  return [...page.map((ride) => String(ride.rideId)), ...(await everyPage(rides, { ...search, after: { createTimeMs, rideId } }))];
}
