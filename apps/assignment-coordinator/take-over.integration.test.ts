/** TakeOverRegion on a real database: what moves, what is published again, who is fenced, and what races with it. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { decodeDriverEvent, decodeRideEvent, physicalTopic } from "@ridegrid/contracts";
import { RideStatus } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import { evolveRide, type Ride } from "@ridegrid/domain";
import { eventually } from "@ridegrid/testing";
import { createWorld, deliver, online, quoted, requested, times, uuid, type World } from "./coordinator.fixtures.ts";
import { lockWaitMs } from "./limits.ts";
import { holdMarkets } from "./serving.postgres.ts";

let world: World;

beforeAll(async () => {
  world = await createWorld();
  await world.setMatchingEpoch("ewr", 1);
  await world.setMatchingEpoch("lhr", 1);
});
afterAll(() => world.close());

const operator = () => world.as("operator", "o-takeover");
const take = (region: string, requestId = uuid()) => operator().takeOverRegion({ command: { requestId, region, reason: "its data center burns" } });
/** The region that serves New York. */
const servedBy = async (): Promise<string> => (await operator().listRegionStates({})).regions.find(({ region }) => region === "ewr")?.servedBy ?? "";
const homeOf = async (rideId: string): Promise<string> => (await world.as("service", "test").locateRide({ rideId })).homeRegion;

/** All that the log of a region tells of its rides, folded; and how often each version was told. */
async function foldOf(region: string): Promise<ReadonlyMap<string, Ride>> {
  const limits = { maxRecords: 10_000, maxBytes: 50_000_000, maxWaitMs: 0 };
  const topic = physicalTopic(region, "ride-events.v1");
  const records = (await world.logs.get(region)?.read(topic, 0, 0, limits, new AbortController().signal)) ?? [];
  const rides = new Map<string, Ride>();
  for (const { value } of records) {
    const { event } = decodeRideEvent(value);
    const known = rides.get(event.rideId) ?? null;
    if (event.version <= (known?.version ?? 0)) continue;
    // Throws where a version is missing.
    rides.set(event.rideId, evolveRide(known, event));
  }
  return rides;
}

test("a takeover moves open rides and shifts to the neighbor, with their whole history, and is applied once", async () => {
  const [searching, driver] = [await requested(world, "r-searching"), "d-assigned"];
  await online(world, driver);
  const assigned = await requested(world, "r-assigned");
  await deliver(world, [{ rideId: assigned, rideVersion: 1, epoch: 1, driverId: driver }]);
  const [offer] = await world.sql<{ offer_id: string }[]>`SELECT offer_id FROM offer WHERE ride_id = ${assigned}`;
  await world.as("driver", driver).acceptOffer({ command: { requestId: uuid(), offerId: offer?.offer_id ?? "" } });
  const ended = await requested(world, "r-ended");
  await world.as("rider", "r-ended").cancelRide({ command: { requestId: uuid(), rideId: ended } });
  const quoteId = await quoted(world, "r-quoted-before");

  const requestId = uuid();
  expect((await take("ewr", requestId)).openRides).toBe(2);
  expect((await take("ewr", requestId)).openRides).toBe(2);
  expect((await operator().listRegionStates({})).regions.map(({ region, servedBy, epoch }) => [region, servedBy, epoch])).toEqual([
    ["ewr", "lhr", 1n],
    ["lhr", "lhr", 0n],
  ]);
  expect([await homeOf(searching), await homeOf(assigned), await homeOf(ended)]).toEqual(["lhr", "lhr", "lhr"]);
  expect((await world.as("service", "test").locateDriver({ driverId: driver })).homeRegion).toBe("lhr");
  const work = await world.as("service", "test").listOpenWork({ region: "lhr", partition: 0 });
  expect(new Set(work.rides.map(({ ride }) => ride?.rideId))).toEqual(new Set([searching, assigned]));
  expect(work.drivers.map(({ driverId, homeRegion }) => [driverId, homeRegion])).toEqual([[driver, "lhr"]]);

  // What was quoted before is requested in the neighbor, as is what is quoted now; a shift opens there.
  const late = await world.as("rider", "r-quoted-before").requestRide({ command: { requestId: uuid(), quoteId } });
  expect(late.ride?.homeRegion).toBe("lhr");
  const { quote } = await world.as("rider", "r-new").quoteFare({ command: { ...times, seats: 1 } });
  expect(quote).toMatchObject({ homeRegion: "lhr", marketId: "nyc" });
  await online(world, "d-new");
  expect((await world.as("service", "test").locateDriver({ driverId: "d-new" })).homeRegion).toBe("lhr");
  // The ride goes on; the neighbor's log tells all of it.
  await world.as("driver", driver).arriveAtPickup({ command: { requestId: uuid(), rideId: assigned, location: times.pickup } });
  await eventually(async () => (await foldOf("lhr")).get(assigned)?.status === "arrived", { timeoutMs: 15_000, what: "the arrival in the neighbor's log" });
  const folded = await foldOf("lhr");
  expect([searching, assigned, ended].map((id) => [folded.get(id)?.status, folded.get(id)?.homeRegion])).toEqual([
    ["requested", regionLhr],
    ["arrived", regionLhr],
    ["canceled", regionLhr],
  ]);
  const [audit] = (await operator().listAuditEntries({ command: { pageSize: 1 } })).page?.entries ?? [];
  expect(audit).toMatchObject({ method: "TakeOverRegion", subject: "ewr", reason: "its data center burns" });
  expect(audit?.after).toContain("2 open rides (0 without their first events)");
});

const regionLhr = "lhr" as Ride["homeRegion"];

test("drivers' events are told again with their new home", async () => {
  const limits = { maxRecords: 10_000, maxBytes: 50_000_000, maxWaitMs: 0 };
  const records = (await world.logs.get("lhr")?.read("lhr.driver-events.v1", 0, 0, limits, new AbortController().signal)) ?? [];
  const told = records.map(({ value }) => decodeDriverEvent(value)).filter(({ driver }) => driver.driverId === "d-assigned");
  expect(told.map(({ driver }) => Number(driver.version))).toEqual([1, 2, 3, 4].slice(0, told.length));
  expect(told.length).toBeGreaterThanOrEqual(3);
  expect(new Set(told.map(({ driver, envelope }) => `${driver.homeRegion} ${envelope?.homeRegion} ${driver.marketId}`))).toEqual(new Set(["lhr lhr nyc"]));
});

test("a worker of the lost region is fenced, though its epoch is the neighbor's by chance", async () => {
  const driver = `d-${uuid()}`;
  await online(world, driver);
  const rideId = await requested(world, "r-fenced");
  const stale = { rideId, rideVersion: 1, epoch: 1, driverId: driver };
  expect(await deliver(world, [stale])).toMatchObject({ offers: 0, refused: 1 });
  expect(await deliver(world, [{ ...stale, homeRegion: "lhr" }])).toMatchObject({ offers: 1 });
  const [offer] = await world.sql<{ offer_id: string }[]>`SELECT offer_id FROM offer WHERE ride_id = ${rideId}`;
  await world.as("driver", driver).acceptOffer({ command: { requestId: uuid(), offerId: offer?.offer_id ?? "" } });
  const release = { ...stale, rideVersion: 3, release: true };
  expect(await deliver(world, [release])).toMatchObject({ releases: 0, refused: 1 });
  expect(await deliver(world, [{ ...release, homeRegion: "lhr" }])).toMatchObject({ releases: 1 });
});

test("taking over what serves nothing any more changes nothing; a second loss gives the markets back", async () => {
  expect((await take("ewr")).openRides).toBe(0);
  expect((await take("lhr")).openRides).toBeGreaterThan(0);
  expect((await operator().listRegionStates({})).regions.map(({ region, servedBy, epoch }) => [region, servedBy, epoch])).toEqual([
    ["ewr", "ewr", 2n],
    ["lhr", "ewr", 1n],
  ]);
});

test("only operators take regions over, and only known ones", async () => {
  const command = { requestId: uuid(), region: "ewr", reason: "x" };
  await expect(world.as("viewer", "v").takeOverRegion({ command })).rejects.toThrow();
  await expect(take("sjc")).rejects.toThrow("none of the platform's");
});

test("a new ride and a new shift wait for a takeover under way, and are at home where it leads", async () => {
  const [before, after] = (await servedBy()) === "ewr" ? ["ewr", "lhr"] : ["lhr", "ewr"];
  const quoteId = await quoted(world, "r-waits");
  const made = await world.sql.begin(async (tx) => {
    await holdMarkets(tx, ["nyc"]);
    const waiting = [world.as("rider", "r-waits").requestRide({ command: { requestId: uuid(), quoteId } }), online(world, "d-waits")] as const;
    const waiters = () => world.sql`
      SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
    await eventually(async () => (await waiters()).length >= waiting.length, {
      timeoutMs: lockWaitMs,
      what: "both to wait for the market's lock",
    });
    await tx`UPDATE region_state SET served_by = ${after} WHERE region = 'ewr'`;
    return waiting;
  });
  const [ride] = await Promise.all(made);
  expect(ride.ride?.homeRegion).toBe(after);
  const drivers = await world.sql<{ home_region: string }[]>`SELECT home_region FROM driver WHERE driver_id = 'd-waits'`;
  expect(drivers.map(({ home_region }) => home_region)).toEqual([after]);
  await world.sql`UPDATE region_state SET served_by = ${before} WHERE region = 'ewr'`;
  await world.sql`UPDATE ride SET home_region = ${before} WHERE rider_id = 'r-waits'`;
  await world.sql`UPDATE driver SET home_region = ${before} WHERE driver_id = 'd-waits'`;
});

test("no ride and no shift is committed in a region that is being taken over", async () => {
  const serving = await servedBy();
  const riders = Array.from({ length: 40 }, () => `r-${uuid()}`);
  const quotes = await Promise.all(riders.map((rider) => quoted(world, rider)));
  const [, ...made] = await Promise.all([
    take(serving),
    ...riders.map((rider, index) => world.as("rider", rider).requestRide({ command: { requestId: uuid(), quoteId: quotes[index] ?? "" } })),
    ...riders.map((_, index) => online(world, `d-race-${index}`)),
  ]);
  expect(made.filter((answer) => answer !== undefined).every(({ ride }) => ride?.status === RideStatus.REQUESTED)).toBe(true);
  const left = await world.sql`SELECT FROM ride WHERE home_region = ${serving} AND status = 'requested'`;
  const shifts = await world.sql`SELECT FROM driver WHERE home_region = ${serving} AND on_shift`;
  expect([left.count, shifts.count]).toEqual([0, 0]);
});
