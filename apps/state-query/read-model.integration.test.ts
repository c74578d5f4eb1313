/** The read model against the log: what is folded, what is read, and what happens to records that cannot be. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { msFromTimestamp } from "@ridegrid/contracts";
import { RideStatus } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import { reasonOf } from "@ridegrid/rpc";
import { createSeededRandom, createSequentialIds, eventually } from "@ridegrid/testing";
import { type City, createCity, offerAccepted, offerSent } from "./city.fixture.ts";
import { createPostgresDriverStore } from "./driver-store.postgres.ts";
import { driverHistoryMaxMs, driverHistoryMs, driverHistoryVersions } from "./limits.ts";
import { as, createTestRegion, operator, region, rideTopic, type StateProcess, type TestRegion } from "./region.fixture.ts";

let ewr: TestRegion;
let process: StateProcess;
let seed = 100;

beforeAll(async () => {
  ewr = await createTestRegion();
  process = await ewr.process();
}, 30_000);
afterAll(() => ewr.close(), 30_000);

function newCity() {
  const ids = createSequentialIds(++seed);
  const city = createCity({ random: createSeededRandom(seed), ids });
  return { ids, city };
}

async function rideAt(rideId: string, version: number) {
  return await eventually(
    async () => {
      const { ride } = await process.client.getRideView({ region, rideId }, operator);
      return ride?.version === BigInt(version) ? ride : undefined;
    },
    { what: `ride ${rideId} at version ${version}` },
  );
}

/** Requested, offered and accepted. */
function assignedRide({ city, ids }: { readonly city: City; readonly ids: ReturnType<typeof createSequentialIds> }, driver: string, rider = "r-1") {
  const online = city.goOnline(driver);
  const { rideId, change } = city.request(rider);
  const changes = [online, change, city.happen(rideId, offerSent(ids), driver), city.happen(rideId, offerAccepted(city.ride(rideId)))];
  return { rideId, changes };
}

describe("GetRideView", () => {
  test("answers the ride as the fold of its events, with when that was", async () => {
    const { rideId, changes } = assignedRide(newCity(), "d-view");
    const before = Date.now();
    await ewr.append(changes);
    const ride = await rideAt(rideId, 3);
    expect(ride).toMatchObject({ status: RideStatus.ASSIGNED, riderId: "r-1", driverId: "d-view", vehicle: { plate: "RG 1" }, pin: "" });
    await eventually(async () => {
      const { asOf } = await process.client.getRideView({ region, rideId }, operator);
      return (msFromTimestamp(asOf) ?? 0) >= before;
    });
  });

  test("an unknown ride is unset, another person's is not found, another region is refused", async () => {
    const unknown = crypto.randomUUID();
    expect((await process.client.getRideView({ region, rideId: unknown }, operator)).ride).toBeUndefined();
    const { rideId, changes } = assignedRide(newCity(), "d-own", "r-own");
    await ewr.append(changes);
    await rideAt(rideId, 3);
    for (const options of [as("rider", "r-other"), as("driver", "d-other")]) {
      const error = await process.client.getRideView({ region, rideId }, options).catch((refusal: unknown) => refusal);
      expect(reasonOf(error)).toBe("RIDE_NOT_FOUND");
    }
    expect((await process.client.getRideView({ region, rideId }, as("rider", "r-own"))).ride?.rideId).toBe(rideId);
    expect((await process.client.getRideView({ region, rideId }, as("driver", "d-own"))).ride?.rideId).toBe(rideId);
    const elsewhere = await process.client.getRideView({ region: "lhr", rideId }, operator).catch((refusal: unknown) => refusal);
    expect(reasonOf(elsewhere)).toBe("FIELD_INVALID");
  });

  test("a driver who is only asked sees the offer, not the ride", async () => {
    const { rideId, changes } = assignedRide(newCity(), "d-asked");
    await ewr.append(changes.slice(0, 3));
    await rideAt(rideId, 2);
    const error = await process.client.getRideView({ region, rideId }, as("driver", "d-asked")).catch((refusal: unknown) => refusal);
    expect(reasonOf(error)).toBe("RIDE_NOT_FOUND");
  });

  test("waits for min_version while it comes, and answers unset when it does not come within a second", async () => {
    const given = newCity();
    const { rideId, changes } = assignedRide(given, "d-wait");
    await ewr.append(changes.slice(0, 2));
    await rideAt(rideId, 1);
    const waiting = process.client.getRideView({ region, rideId, minVersion: 3n }, operator);
    await ewr.append(changes.slice(2));
    expect((await waiting).ride?.version).toBe(3n);
    const began = performance.now();
    expect((await process.client.getRideView({ region, rideId, minVersion: 4n }, operator)).ride).toBeUndefined();
    expect(performance.now() - began).toBeWithin(900, 3_000);
  });
});

describe("the fold", () => {
  test("parks a ride behind a gap, says so, and goes on when the missing event arrives", async () => {
    const given = newCity();
    const { rideId, changes } = assignedRide(given, "d-gap");
    const [online, requested, offered, accepted] = changes;
    if (!online || !requested || !offered || !accepted) throw new Error("four changes were made");
    await ewr.append([online, requested, accepted]);
    await rideAt(rideId, 1);
    const violation = await eventually(async () => {
      const { violations } = await process.client.listReadModelViolations({ region }, operator);
      return violations.find((one) => one.rideId === rideId);
    });
    expect(violation).toMatchObject({ invariant: "I6", detail: expect.stringContaining("wait for version 2") });
    await eventually(async () => /read_model_parked_rides\{[^}]*\} 1/.test(await process.context.metricsText()));
    await ewr.append([{ ...offered, driver: null }]);
    await rideAt(rideId, 3);
    expect((await process.client.listReadModelViolations({ region }, operator)).violations).toEqual([]);
    await eventually(async () => /read_model_parked_rides\{[^}]*\} 0/.test(await process.context.metricsText()));
  });

  test("puts a poisoned record aside, lets later events of its ride wait, and serves everybody else", async () => {
    const given = newCity();
    const poisoned = assignedRide(given, "d-poison");
    const sound = assignedRide(given, "d-sound");
    const [, requested, offered, accepted] = poisoned.changes;
    if (!requested?.ride || !offered?.ride || !accepted) throw new Error("four changes were made");
    const garbage = { ...offered, driver: null, ride: { ...offered.ride, value: new Uint8Array([0xff, 0x01, 0x00]) } };
    await ewr.append([requested, garbage, accepted, ...sound.changes]);
    await rideAt(sound.rideId, 3);
    expect((await rideAt(poisoned.rideId, 1)).status).toBe(RideStatus.REQUESTED);
    const letters = await ewr.sql`SELECT kind, key, reason FROM dead_letter WHERE topic = ${rideTopic} ORDER BY record_offset`;
    expect([...letters]).toEqual([
      { kind: "poison", key: poisoned.rideId, reason: expect.stringMatching(/.{8}/) },
      { kind: "waiting", key: poisoned.rideId, reason: expect.stringContaining("earlier record") },
    ]);
    const { violations } = await process.client.listReadModelViolations({ region }, operator);
    expect(violations).toMatchObject([{ invariant: "I8", rideId: poisoned.rideId, detail: expect.stringContaining("1 events wait") }]);
    await ewr.sql`UPDATE dead_letter SET resolve_time = now()`;
  });
});

describe("GetRideTimeline", () => {
  test("lists every event with its place in the log and the time since the one before", async () => {
    const given = newCity();
    const { rideId, changes } = assignedRide(given, "d-time");
    await ewr.append(changes);
    await rideAt(rideId, 3);
    const { entries } = await process.client.getRideTimeline({ region, rideId }, operator);
    expect(entries.map((entry) => [entry.type, entry.version, entry.elapsedMs, entry.driverId])).toEqual([
      ["RideRequested", 1n, 0n, ""],
      ["OfferSent", 2n, 1_000n, "d-time"],
      ["OfferAccepted", 3n, 1_000n, "d-time"],
    ]);
    for (const entry of entries) {
      expect(entry).toMatchObject({ region, topic: rideTopic, partition: 0, traceId: "0af7651916cd43dd8448eb211c80319c" });
      expect(Number(entry.outboxId)).toBeGreaterThan(0);
    }
    expect(new Set(entries.map((entry) => entry.eventId)).size).toBe(3);
  });
});

describe("SearchRides", () => {
  test("pages newest first without repeating or skipping, and filters", async () => {
    const { city } = newCity();
    const rideIds = Array.from({ length: 23 }, () => city.request("r-search"));
    const canceled = rideIds[3]?.rideId ?? "";
    await ewr.append([
      ...rideIds.map(({ change }) => change),
      city.happen(canceled, { type: "RideCanceled", by: "rider", reason: "other", fee: null, offerId: null }),
    ]);
    await rideAt(canceled, 2);
    await rideAt(rideIds.at(-1)?.rideId ?? "", 1);
    const seen: string[] = [];
    let pageToken = "";
    do {
      const { page } = await process.client.searchRides({ region, command: { riderId: "r-search", pageSize: 5, pageToken } }, operator);
      seen.push(...(page?.rides ?? []).map((ride) => ride.rideId));
      pageToken = page?.nextPageToken ?? "";
    } while (pageToken !== "");
    expect(seen).toEqual(rideIds.map(({ rideId }) => rideId).toReversed());
    const open = await process.client.searchRides({ region, command: { riderId: "r-search", openOnly: true, pageSize: 100 } }, operator);
    expect(open.page?.rides.length).toBe(22);
    const ended = await process.client.searchRides({ region, command: { riderId: "r-search", statuses: [RideStatus.CANCELED] } }, operator);
    expect(ended.page?.rides.map((ride) => ride.rideId)).toEqual([canceled]);
    const wrong = await process.client.searchRides({ region, command: { pageToken: "xx" } }, operator).catch((refusal: unknown) => refusal);
    expect(reasonOf(wrong)).toBe("FIELD_INVALID");
  });
});

describe("the driver's history", () => {
  test("keeps the last hundred versions of a day-old history, nothing older than a week, and deletes in bounded batches", async () => {
    const drivers = createPostgresDriverStore({ sql: ewr.sql, region });
    const ages = [
      ["d-day", "25 hours"],
      ["d-week", "8 days"],
      ["d-fresh", "1 hour"],
    ] as const;
    for (const [driver, age] of ages) {
      await ewr.sql`INSERT INTO driver_view VALUES (${region}, ${driver}, 0, 'nyc', 'offline', 150, now(), '')`;
      await ewr.sql`INSERT INTO driver_event SELECT ${region}, ${driver}, n, 0, -n, now() - ${age}::interval, '' FROM generate_series(1, 150) n`;
    }
    const bounds = { versions: driverHistoryVersions, olderMs: driverHistoryMs, oldestMs: driverHistoryMaxMs };
    expect(await drivers.prune(bounds, 60)).toBe(60);
    expect(await drivers.prune(bounds, 1_000)).toBe(140);
    expect(await drivers.prune(bounds, 1_000)).toBe(0);
    const left =
      await ewr.sql`SELECT driver_id, min(version) AS first, count(*) AS kept FROM driver_event WHERE driver_id = ANY(${ages.map(([driver]) => driver)}) GROUP BY 1 ORDER BY 1`;
    expect([...left]).toEqual([
      { driver_id: "d-day", first: 51, kept: 100 },
      { driver_id: "d-fresh", first: 1, kept: 150 },
    ]);
  });
});

describe("GetRegionHealth", () => {
  test("reports lag, leases, topics and the process", async () => {
    const { health } = await eventually(async () => {
      const answer = await process.client.getRegionHealth({ region }, operator);
      return answer.health?.consumers.every((one) => one.lag === 0n) ? answer : undefined;
    });
    expect(health?.consumers.map((one) => one.topic).toSorted()).toEqual(["driver-events.v1", "ride-events.v1"]);
    expect(health?.leases).toMatchObject([{ region, consumer: "state-query", partition: 0, owner: process.context.processId, epoch: 1n }]);
    expect(health?.topics.map((one) => one.topic)).toContain("driver-telemetry.v1");
    expect(health?.processes).toMatchObject([{ name: "state-query.ewr", ready: true, detail: "" }]);
    expect(await process.context.metricsText()).toMatch(/kafka_consumer_lag\{.*state-query.*\} 0/);
  });
});
