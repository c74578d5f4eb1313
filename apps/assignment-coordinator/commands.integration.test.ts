/** Single commands against real Postgres: races, request ids, PINs, money, owners, drains. */
import { afterAll, beforeAll, expect, test, setDefaultTimeout } from "bun:test";
import { ConnectError } from "@connectrpc/connect";
import { ridePin } from "@ridegrid/contracts";
import { DriverStatus } from "@ridegrid/contracts/gen/type/v1/driver_pb";
import { CancelReason, RideStatus } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import { quoteId, riderId } from "@ridegrid/domain";
import { reasonOf } from "@ridegrid/rpc";
import { eventually } from "@ridegrid/testing";
import { noCause } from "./change.ts";
import { createWorld, deliver, online, pinSecret, quoted, requested, seedDrivers, seedRides, times, uuid, type World } from "./coordinator.fixtures.ts";
import { createPostgresRideStore } from "./ride-store.postgres.ts";
import { readViolations } from "./read-violations.postgres.ts";

setDefaultTimeout(60_000);

let world: World;
let matchingAnswers: { location?: { latitude: number; longitude: number }; ageMs: bigint } = { ageMs: 0n };

beforeAll(async () => {
  const matching = { lastPosition: () => matchingAnswers, estimatePickup: () => ({ pickupEtaSeconds: 77, surgeMultiplier: 1.5 }) };
  world = await createWorld({ running: false, poolMax: 24, matching });
  await world.setMatchingEpoch("ewr", 1);
});
afterAll(async () => {
  expect(await readViolations(world.sql)).toEqual([]);
  await world.close();
});

const reasonFrom = (call: Promise<unknown>): Promise<string | undefined> =>
  call.then(
    () => "no error",
    (error: unknown) => reasonOf(error) ?? String(error),
  );

type Offered = { readonly rideId: string; readonly rider: string; readonly driver: string; readonly offerId: string };

async function offered(): Promise<Offered> {
  const [ride] = await seedRides(world, 1);
  const [driver] = await seedDrivers(world, 1);
  if (ride === undefined || driver === undefined) throw new Error("nothing was seeded");
  await deliver(world, [{ rideId: ride.rideId, rideVersion: 1, epoch: 1, driverId: driver }]);
  const [row] = await world.sql<{ offer_id: string }[]>`SELECT offer_id FROM ride WHERE ride_id = ${ride.rideId}`;
  return { rideId: ride.rideId, rider: ride.riderId, driver, offerId: row?.offer_id ?? "" };
}

async function assigned(): Promise<Offered> {
  const offer = await offered();
  await world.as("driver", offer.driver).acceptOffer({ command: { requestId: uuid(), offerId: offer.offerId } });
  return offer;
}

async function arrived(): Promise<Offered> {
  const offer = await assigned();
  await world.as("driver", offer.driver).arriveAtPickup({ command: { requestId: uuid(), rideId: offer.rideId, location: times.pickup } });
  return offer;
}

async function inProgress(): Promise<Offered> {
  const offer = await arrived();
  await world.as("driver", offer.driver).startRide({ command: { requestId: uuid(), rideId: offer.rideId, pin: ridePin(pinSecret, offer.rideId) } });
  return offer;
}

async function versionOf(rideId: string): Promise<number> {
  const [row] = await world.sql<{ version: number }[]>`SELECT version FROM ride WHERE ride_id = ${rideId}`;
  return row?.version ?? 0;
}

async function eventsOf(rideId: string): Promise<number> {
  const rows = await world.sql`SELECT FROM outbox WHERE key = ${rideId} AND topic = 'ride-events.v1'`;
  return rows.count;
}

test("fifty concurrent acceptOffer() with ids of their own have one effect", async () => {
  const { rideId, driver, offerId } = await offered();
  const client = world.as("driver", driver);
  const reasons = await Promise.all(Array.from({ length: 50 }, () => reasonFrom(client.acceptOffer({ command: { requestId: uuid(), offerId } }))));
  const tally = Object.fromEntries([...new Set(reasons)].map((reason) => [reason, reasons.filter((other) => other === reason).length]));
  console.log("50 acceptOffer(), 50 request ids:", JSON.stringify(tally));
  expect(tally).toEqual({ "no error": 1, RIDE_STATE: 49 });
  expect([await versionOf(rideId), await eventsOf(rideId)]).toEqual([3, 3]);
});

test("fifty concurrent acceptOffer() with one request id have one effect and one answer", async () => {
  const { rideId, driver, offerId } = await offered();
  const client = world.as("driver", driver);
  const requestId = uuid();
  const call = () => client.acceptOffer({ command: { requestId, offerId } });
  const reasons = await Promise.all(Array.from({ length: 50 }, () => reasonFrom(call())));
  const tally = Object.fromEntries([...new Set(reasons)].map((reason) => [reason, reasons.filter((other) => other === reason).length]));
  console.log("50 acceptOffer(), one request id:", JSON.stringify(tally));
  expect(Object.keys(tally).filter((reason) => reason !== "no error" && reason !== "REQUEST_IN_FLIGHT")).toEqual([]);
  expect([await versionOf(rideId), await eventsOf(rideId)]).toEqual([3, 3]);
  const [first, again] = [await call(), await call()];
  expect(first).toEqual(again);
  expect(first.ride?.version).toBe(3n);
});

test("a request id gives its first answer again, whatever has happened since, and refuses another body", async () => {
  const { rider, rideId } = await offered();
  const client = world.as("rider", rider);
  const requestId = uuid();
  const command = { requestId, rideId, reason: CancelReason.OTHER };
  const first = await client.cancelRide({ command });
  expect(await client.cancelRide({ command })).toEqual(first);
  expect(await client.cancelRide({ command: { ...command, requestId: requestId.toUpperCase() } })).toEqual(first);
  expect(await reasonFrom(client.cancelRide({ command: { ...command, reason: CancelReason.SAFETY } }))).toBe("REQUEST_ID_REUSED");
  expect(await reasonFrom(client.cancelRide({ command: { ...command, requestId: uuid() } }))).toBe("RIDE_STATE");
  // Another person's id is another id.
  expect(await reasonFrom(world.as("rider", "somebody").cancelRide({ command }))).toBe("RIDE_NOT_FOUND");
});

test("a request id in flight is REQUEST_IN_FLIGHT, at once", async () => {
  const { rider, rideId } = await offered();
  const requestId = uuid();
  const command = { requestId, rideId, reason: CancelReason.OTHER };
  const holder = Promise.withResolvers<void>();
  const locked = Promise.withResolvers<void>();
  const blocking = world.sql.begin(async (tx) => {
    await tx`SELECT FROM ride WHERE ride_id = ${rideId} FOR UPDATE`;
    locked.resolve();
    await holder.promise;
  });
  await locked.promise;
  const twins = [1, 2].map(() => reasonFrom(world.as("rider", rider).cancelRide({ command })));
  // The ride is still locked: whoever came second does not wait for it.
  expect(await Promise.race(twins)).toBe("REQUEST_IN_FLIGHT");
  holder.resolve();
  await blocking;
  expect((await Promise.all(twins)).toSorted()).toEqual(["REQUEST_IN_FLIGHT", "no error"]);
});

test("a request id that was answered waits for nobody who holds its ride", async () => {
  const { rider, rideId } = await offered();
  const client = world.as("rider", rider);
  const command = { requestId: uuid(), rideId, reason: CancelReason.OTHER };
  const first = await client.cancelRide({ command });
  await world.sql.begin(async (tx) => {
    await tx`SELECT FROM ride WHERE ride_id = ${rideId} FOR UPDATE`;
    expect(await client.cancelRide({ command })).toEqual(first);
  });
});

test("a refusal that changed nothing is not stored: the same request id may succeed later", async () => {
  const { rideId, driver } = await assigned();
  const command = { requestId: uuid(), rideId, location: { latitude: 40.7, longitude: -74 } };
  const client = world.as("driver", driver);
  expect(await reasonFrom(client.arriveAtPickup({ command }))).toBe("TOO_FAR");
  const rows = await world.sql`SELECT FROM request WHERE request_id = ${command.requestId}`;
  expect(rows.count).toBe(0);
  expect((await client.arriveAtPickup({ command: { ...command, location: times.pickup } })).ride?.status).toBe(RideStatus.ARRIVED);
});

test("requestRide() takes a quote once, and one open ride a rider, however many race", async () => {
  const rider = `r-${uuid()}`;
  const [first, second] = [await quoted(world, rider), await quoted(world, rider)];
  const calls = Array.from({ length: 20 }, (_, index) =>
    reasonFrom(world.as("rider", rider).requestRide({ command: { requestId: uuid(), quoteId: index % 2 === 0 ? (first ?? "") : (second ?? "") } })),
  );
  const reasons = await Promise.all(calls);
  expect(reasons.filter((reason) => reason === "no error")).toHaveLength(1);
  expect([...new Set(reasons)].toSorted()).toEqual(["QUOTE_USED", "RIDE_ALREADY_OPEN", "no error"]);
  expect(await reasonFrom(world.as("rider", "r-other").requestRide({ command: { requestId: uuid(), quoteId: first ?? "" } }))).toBe("QUOTE_NOT_FOUND");
  expect(await reasonFrom(world.as("rider", rider).requestRide({ command: { requestId: uuid(), quoteId: uuid() } }))).toBe("QUOTE_NOT_FOUND");
});

test("requestRide() takes no new ride while too many events wait to be published, and goes on answering for an old one", async () => {
  const rider = `r-${uuid()}`;
  let full = true;
  const store = createPostgresRideStore({ sql: world.sql, ids: { uuid }, regions: world.regions, onCommit: () => {}, isOutboxFull: () => full });
  const request = { principal: rider, method: "RequestRide", requestId: uuid(), fingerprint: new Uint8Array([1]) };
  const work = { request, cause: noCause, riderId: riderId(rider), quoteId: quoteId(await quoted(world, rider)), answer: () => new Uint8Array([7]) };
  expect(await reasonFrom(store.requestRide(work))).toBe("OVERLOADED");
  expect((await world.sql`SELECT FROM ride WHERE rider_id = ${rider}`).count).toBe(0);
  full = false;
  expect(await store.requestRide(work)).toMatchObject({ kind: "answered" });
  full = true;
  expect(await store.requestRide(work)).toMatchObject({ kind: "answered" });
  const [made] = await world.sql<{ ride_id: string }[]>`SELECT ride_id FROM ride WHERE rider_id = ${rider}`;
  const cancel = { requestId: uuid(), rideId: made?.ride_id ?? "", reason: CancelReason.OTHER };
  expect((await world.as("rider", rider).cancelRide({ command: cancel })).ride?.status).toBe(RideStatus.CANCELED);
});

test("quoteFare() prices with matching's surge and ETA, and outside a market not at all", async () => {
  const client = world.as("rider", "r-quote");
  const { quote } = await client.quoteFare({ command: times });
  expect([quote?.pickupEtaSeconds, quote?.surgeMultiplier, quote?.marketId]).toEqual([77, 1.5, "nyc"]);
  expect(await reasonFrom(client.quoteFare({ command: { pickup: times.pickup, dropoff: { latitude: 51.5074, longitude: -0.1278 } } }))).toBe(
    "OUTSIDE_SERVICE_AREA",
  );
  expect(await reasonFrom(client.quoteFare({ command: { pickup: { latitude: 0, longitude: 0 }, dropoff: times.dropoff } }))).toBe("OUTSIDE_SERVICE_AREA");
  expect(await reasonFrom(client.quoteFare({ command: { pickup: { latitude: Number.NaN, longitude: 0 }, dropoff: times.dropoff } }))).toBe("FIELD_INVALID");
});

test("arriveAtPickup() without a location goes by the last position that matching knows", async () => {
  const { rideId, driver } = await assigned();
  const arrive = () => world.as("driver", driver).arriveAtPickup({ command: { requestId: uuid(), rideId } });
  matchingAnswers = { ageMs: 0n };
  expect(await reasonFrom(arrive())).toBe("TOO_FAR");
  matchingAnswers = { location: times.pickup, ageMs: 20_001n };
  expect(await reasonFrom(arrive())).toBe("TOO_FAR");
  matchingAnswers = { location: times.pickup, ageMs: 19_000n };
  expect((await arrive()).ride?.status).toBe(RideStatus.ARRIVED);
});

test("five wrong PINs lock the ride until an operator resets it; a repeated request counts once", async () => {
  const { rideId, driver } = await arrived();
  const pin = ridePin(pinSecret, rideId);
  const wrong = pin === "0000" ? "0001" : "0000";
  const start = (requestId: string, tried: string) => world.as("driver", driver).startRide({ command: { requestId, rideId, pin: tried } });
  const repeated = uuid();
  for (let i = 0; i < 3; i++) expect(await reasonFrom(start(repeated, wrong))).toBe("WRONG_PIN");
  for (let i = 0; i < 4; i++) expect(await reasonFrom(start(uuid(), wrong))).toBe("WRONG_PIN");
  expect(await reasonFrom(start(uuid(), pin))).toBe("PIN_LOCKED");
  await world.as("operator", "o-1").resetPinTries({ command: { requestId: uuid(), rideId, reason: "rider called" } });
  expect((await start(uuid(), pin)).ride?.status).toBe(RideStatus.IN_PROGRESS);
  const { page } = await world.as("operator", "o-1").listAuditEntries({ command: {} });
  expect(page?.entries.find((entry) => entry.subject === rideId)).toMatchObject({
    principal: "o-1",
    method: "ResetPinTries",
    reason: "rider called",
    before: "5 wrong PINs",
  });
});

test("completeRide() moves the locked quote in a transfer that sums to zero", async () => {
  const { rideId, rider, driver } = await inProgress();
  await world.as("driver", driver).completeRide({ command: { requestId: uuid(), rideId } });
  const lines = await world.sql<
    { account: string; amount_minor: number }[]
  >`SELECT account, amount_minor FROM ledger_entry WHERE ride_id = ${rideId} ORDER BY line`;
  expect(lines.map(({ account }) => account)).toEqual([`rider:${rider}`, `driver:${driver}`, "platform"]);
  expect(lines.map(({ amount_minor }) => amount_minor)).toEqual([-800, 640, 160]);
});

test("a late cancel costs the rider the market's fee, an operator's waiver gives it back once", async () => {
  const { rideId, rider } = await assigned();
  await world.sql`UPDATE ride SET assign_time = assign_time - interval '3 minutes' WHERE ride_id = ${rideId}`;
  const { quote } = await world.as("rider", rider).quoteCancellation({ command: { rideId } });
  const { ride } = await world.as("rider", rider).cancelRide({ command: { requestId: uuid(), rideId, reason: CancelReason.OTHER } });
  expect(ride?.cancellationFee).toEqual(quote?.fee);
  expect(ride?.cancellationFee?.amountMinor).toBe(500n);
  const waive = () => world.as("operator", "o-1").waiveFee({ command: { requestId: uuid(), rideId, reason: "goodwill" } });
  expect((await waive()).result?.waived?.amountMinor).toBe(500n);
  expect(await reasonFrom(waive())).toBe("RIDE_STATE");
  const [sum] = await world.sql<
    { charged: number }[]
  >`SELECT sum(amount_minor)::float8 AS charged FROM ledger_entry WHERE ride_id = ${rideId} AND account LIKE 'rider:%'`;
  expect(sum?.charged).toBe(0);
});

test("another person's ride or offer looks like none", async () => {
  const { rideId, driver, offerId } = await offered();
  const stranger = world.as("driver", "d-stranger");
  expect(await reasonFrom(world.as("driver", driver).getRide({ rideId }))).toBe("RIDE_NOT_FOUND");
  expect(await reasonFrom(world.as("rider", "r-stranger").quoteCancellation({ command: { rideId } }))).toBe("RIDE_NOT_FOUND");
  for (const other of [stranger, world.as("rider", "r-stranger")]) expect(await reasonFrom(other.getDriver({ driverId: driver }))).toBe("ROLE_NOT_ALLOWED");
  expect(await reasonFrom(stranger.acceptOffer({ command: { requestId: uuid(), offerId } }))).toBe("OFFER_NOT_FOUND");
  expect(await reasonFrom(stranger.declineOffer({ command: { requestId: uuid(), offerId } }))).toBe("OFFER_NOT_FOUND");
  const past = await offered();
  await world.as("driver", past.driver).declineOffer({ command: { requestId: uuid(), offerId: past.offerId } });
  expect(await reasonFrom(stranger.acceptOffer({ command: { requestId: uuid(), offerId: past.offerId } }))).toBe("OFFER_NOT_FOUND");
  expect(await reasonFrom(world.as("driver", past.driver).acceptOffer({ command: { requestId: uuid(), offerId: past.offerId } }))).toBe("OFFER_WITHDRAWN");
  expect(await reasonFrom(stranger.completeRide({ command: { requestId: uuid(), rideId } }))).toBe("RIDE_NOT_FOUND");
  expect(await reasonFrom(stranger.getRide({ rideId }))).toBe("RIDE_NOT_FOUND");
  expect(await reasonFrom(world.as("rider", "r-stranger").getRide({ rideId }))).toBe("RIDE_NOT_FOUND");
  expect(await reasonFrom(world.as("rider", "r-stranger").cancelRide({ command: { requestId: uuid(), rideId } }))).toBe("RIDE_NOT_FOUND");
  expect(await reasonFrom(world.as("driver", "d-stranger").operatorCancelRide({ command: { requestId: uuid(), rideId, reason: "no" } }))).toBe(
    "ROLE_NOT_ALLOWED",
  );
});

test("an offer that has expired says so, before the sweeper and after it", async () => {
  const { rideId, driver, offerId } = await offered();
  await world.sql`UPDATE ride SET offer_expire_time = offer_expire_time - interval '1 minute', timer_at = timer_at - interval '1 minute' WHERE ride_id = ${rideId}`;
  const accept = () => world.as("driver", driver).acceptOffer({ command: { requestId: uuid(), offerId } });
  expect(await reasonFrom(accept())).toBe("OFFER_EXPIRED");
  const { driver: after } = await world.as("driver", driver).goOffline({ command: { requestId: uuid() } });
  expect(after?.status).toBe(DriverStatus.OFFLINE);
  expect(await reasonFrom(accept())).toBe("OFFER_EXPIRED");
  expect((await world.as("operator", "o").getRide({ rideId })).ride?.status).toBe(RideStatus.REQUESTED);
});

test("acceptOffer() that waits for its ride until the offer has expired is refused: the clock is read after the lock", async () => {
  const { rideId, driver, offerId } = await offered();
  await world.sql`
    UPDATE ride SET offer_expire_time = date_trunc('milliseconds', clock_timestamp()) + interval '1 second', timer_at = clock_timestamp() + interval '1 minute'
    WHERE ride_id = ${rideId}`;
  const { sql } = world;
  const accepting = await sql.begin(async (tx) => {
    await tx`SELECT FROM ride WHERE ride_id = ${rideId} FOR UPDATE`;
    const reason = reasonFrom(world.as("driver", driver).acceptOffer({ command: { requestId: uuid(), offerId } }));
    const waits = async () => (await sql`SELECT FROM pg_locks WHERE NOT granted`).length > 0;
    await eventually(waits, { what: "an accept that waits" });
    await eventually(async () => (await tx`SELECT FROM ride WHERE ride_id = ${rideId} AND offer_expire_time < clock_timestamp()`).length > 0);
    return { reason };
  });
  expect(await accepting.reason).toBe("OFFER_EXPIRED");
});

test("goOffline() declines a pending offer as one change of the driver", async () => {
  const { rideId, driver, offerId } = await offered();
  const { driver: after } = await world.as("driver", driver).goOffline({ command: { requestId: uuid() } });
  expect([after?.status, after?.version]).toEqual([DriverStatus.OFFLINE, 3n]);
  expect((await world.as("operator", "o").getRide({ rideId })).ride?.status).toBe(RideStatus.REQUESTED);
  const [offer] = await world.sql<{ status: string }[]>`SELECT status FROM offer WHERE offer_id = ${offerId}`;
  expect(offer?.status).toBe("declined");
  expect(await reasonFrom(world.as("driver", driver).goOffline({ command: { requestId: uuid() } }))).toBe("DRIVER_OFFLINE");
});

test("a driver on a ride can neither go offline nor open another shift", async () => {
  const { driver } = await assigned();
  expect(await reasonFrom(world.as("driver", driver).goOffline({ command: { requestId: uuid() } }))).toBe("DRIVER_ON_RIDE");
  expect(await reasonFrom(online(world, driver))).toBe("DRIVER_ON_RIDE");
});

test("a shift that moves to another market is told to both", async () => {
  const driver = `d-${uuid()}`;
  await online(world, driver);
  await world
    .as("driver", driver)
    .goOnline({ command: { requestId: uuid(), location: { latitude: 51.5074, longitude: -0.1278 }, vehicle: { seats: 4, plate: "X" } } });
  const rows = await world.sql<{ home_region: string }[]>`SELECT home_region FROM outbox WHERE key = ${driver} ORDER BY id`;
  expect(rows.map(({ home_region }) => home_region)).toEqual(["ewr", "ewr", "lhr"]);
  expect((await world.as("service", "test").locateDriver({ driverId: driver })).homeRegion).toBe("lhr");
});

test("a draining region takes no new rides and shifts, and open rides end normally", async () => {
  const { rideId, driver } = await inProgress();
  const quoteId = await quoted(world, "r-drain");
  const operator = world.as("operator", "o-2");
  await operator.drainRegion({ command: { requestId: uuid(), region: "ewr", reason: "maintenance" } });
  expect(await reasonFrom(world.as("rider", "r-drain").requestRide({ command: { requestId: uuid(), quoteId } }))).toBe("REGION_DRAINING");
  expect(await reasonFrom(online(world, "d-drain"))).toBe("REGION_DRAINING");
  expect((await world.as("driver", driver).completeRide({ command: { requestId: uuid(), rideId } })).ride?.status).toBe(RideStatus.COMPLETED);
  expect((await operator.listRegionStates({})).regions.map(({ region, draining }) => [region, draining])).toEqual([
    ["ewr", true],
    ["lhr", false],
  ]);
  await operator.undrainRegion({ command: { requestId: uuid(), region: "ewr", reason: "done" } });
  expect(await reasonFrom(world.as("rider", "r-drain").requestRide({ command: { requestId: uuid(), quoteId } }))).toBe("no error");
});

test("operators end rides with a reason that is audited", async () => {
  const canceled = await assigned();
  const operator = world.as("operator", "o-3");
  const { ride } = await operator.operatorCancelRide({ command: { requestId: uuid(), rideId: canceled.rideId, reason: "flood" } });
  expect([ride?.status, ride?.cancellationFee]).toEqual([RideStatus.CANCELED, undefined]);
  const completed = await inProgress();
  await operator.operatorCompleteRide({ command: { requestId: uuid(), rideId: completed.rideId, reason: "phone died" } });
  const { page } = await world.as("viewer", "v-1").listAuditEntries({ command: { pageSize: 2 } });
  expect(page?.entries.map(({ subject, method, reason, principal }) => [subject, method, reason, principal])).toEqual([
    [completed.rideId, "CompleteRide", "phone died", "o-3"],
    [canceled.rideId, "CancelRide", "flood", "o-3"],
  ]);
  expect(page?.nextPageToken).not.toBe("");
});

test("listRides() pages through a rider's rides, newest first", async () => {
  const rider = `r-${uuid()}`;
  const made: string[] = [];
  for (let i = 0; i < 3; i++) {
    const rideId = await requested(world, rider);
    made.unshift(rideId);
    if (i < 2) await world.as("rider", rider).cancelRide({ command: { requestId: uuid(), rideId } });
  }
  const list = async (pageToken: string, openOnly = false) =>
    (await world.as("rider", rider).listRides({ command: { pageSize: 2, pageToken, openOnly } })).page;
  const first = await list("");
  const second = await list(first?.nextPageToken ?? "");
  expect([...(first?.rides ?? []), ...(second?.rides ?? [])].map(({ rideId }) => rideId)).toEqual(made);
  expect(second?.nextPageToken).toBe("");
  expect((await list("", true))?.rides.map(({ rideId }) => rideId)).toEqual(made.slice(0, 1));
  expect(await reasonFrom(list("bm9uc2Vuc2U"))).toBe("FIELD_INVALID");
});

test("listOpenWork() is one snapshot of a partition's open rides and shifts", async () => {
  const { rideId, driver } = await assigned();
  const { rides, drivers } = await world.as("service", "matching-worker").listOpenWork({ region: "ewr", partition: 0 });
  expect(rides.find(({ ride }) => ride?.rideId === rideId)?.timerKind).toBe("arrival");
  expect(drivers.find((found) => found.driverId === driver)?.status).toBe(DriverStatus.EN_ROUTE);
  const open = await world.sql`SELECT FROM ride WHERE status NOT IN ('completed', 'canceled', 'no_drivers')`;
  expect(rides).toHaveLength(open.count);
});

test("a NUL never reaches Postgres, and nothing of Postgres' words reaches a caller", async () => {
  const error = await world
    .as("driver", "d-\0x")
    .goOffline({ command: { requestId: uuid() } })
    .catch((cause: unknown) => cause);
  expect(ConnectError.from(error).rawMessage).toBe("The call failed inside the platform");
});
