/**
 * The rules exist once in meaning: the same random histories through the domain's `decide` and through the SQL (guard,
 * sweeper, single commands) give the same rides, drivers, offers, events and refusals.
 */
import { afterAll, beforeAll, expect, test, setDefaultTimeout } from "bun:test";
import { decodeDriverEvent, decodeRideEvent } from "@ridegrid/contracts";
import { type DriverId, driverId, quoteId, type Ride, type RideCommand, rideId, type RideId, riderId, shiftId } from "@ridegrid/domain";
import { createSeededRandom } from "@ridegrid/testing";
import { matchingConsumer } from "./app.ts";
import { car, createWorld, type ProposalFacts, proposalRecord, quoted, times, uuid, type World } from "./coordinator.fixtures.ts";
import { type DriverRow, driverFromRow } from "./driver-row.ts";
import { marketRules } from "./market-rules.ts";
import { applyProposals, decodeProposals } from "./proposal-consumer.ts";
import { type QuoteRow, quoteFromRow } from "./quote-store.postgres.ts";
import { databaseNowMs } from "./read-clock.postgres.ts";
import { createReference, type Reference, type Verdict } from "./reference.fixtures.ts";
import { rideFromRow, type RideRow } from "./ride-row.ts";
import { createPostgresRideStore } from "./ride-store.postgres.ts";
import type { LoadedRide, Outcome, RideStore, RideTarget } from "./ride-store.ts";
import { sweepPage } from "./sweeper.ts";

setDefaultTimeout(60_000);

const histories = 8;
const stepsPerHistory = 60;
const baseSeed = Number(process.env["TEST_SEED"] ?? 20_261);
const tally: Record<string, number> = {};
/** The ride's and the driver's: ids that a page takes before its offers'. */
const eventsPerRelease = 2;

let world: World;
beforeAll(async () => {
  world = await createWorld({ running: false });
});
afterAll(async () => {
  console.log("differential:", JSON.stringify(tally));
  await world.close();
});

function count(what: string, by = 1): void {
  tally[what] = (tally[what] ?? 0) + by;
}

for (let index = 0; index < histories; index++) {
  const seed = baseSeed + index;
  test(`the SQL decides as the domain does, seed ${seed}`, async () => {
    const history = createHistory(world, seed);
    await history.begin();
    for (let step = 0; step < stepsPerHistory; step++) await history.step();
    expect(await world.sql`SELECT * FROM invariant_violations`).toHaveLength(0);
  });
}

test("the histories reached what they are about", () => {
  for (const what of [
    "offers",
    "refused proposals",
    "timers",
    "releases",
    "refused commands",
    "event OfferAccepted",
    "event OfferDeclined",
    "event OfferExpired",
    "event RideCompleted",
    "event RideCanceled",
    "event NoDriversFound",
  ]) {
    expect({ what, reached: (tally[what] ?? 0) > 0 }).toEqual({ what, reached: true });
  }
});

function createHistory(world: World, seed: number) {
  const random = createSeededRandom(seed);
  const { sql, regions } = world;
  const reference: Reference = createReference(regions);
  const madeIds: string[] = [];
  const ids = { uuid: () => madeIds[madeIds.push(uuid()) - 1] ?? "" };
  const store: RideStore = createPostgresRideStore({ sql, ids, regions, isOutboxFull: () => false, onCommit: () => {} });
  const marketIds = regions.all.flatMap(({ markets }) => markets.map(({ marketId }) => marketId));
  const proposals = { ids, regions, matchingConsumer, marketIds, policyOfMarket: (marketId: string) => marketRules(regions, { marketId }).policy };
  const drivers: DriverId[] = [];
  const rides: RideId[] = [];
  let epoch = seed;
  let earlier: ProposalFacts[] = [];
  let outboxId = 0;

  const int = (below: number): number => Math.floor(random.next() * below);
  const chance = (probability: number): boolean => random.next() < probability;
  const pick = <T>(items: readonly T[]): T => {
    const item = items[int(items.length)];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  };

  /** Mostly of what still moves. */
  function anyRide(): RideId {
    const open = rides.filter((id) => reference.rides.get(id)?.endedAtMs === null);
    return pick(open.length > 0 && chance(0.85) ? open : rides);
  }

  async function begin(): Promise<void> {
    await sql`TRUNCATE ride, offer, driver, fare_quote, request, ledger_entry, outbox CASCADE`;
    await world.setMatchingEpoch("ewr", epoch);
    for (let i = 0; i < 7; i++) await addDriver(driverId(`d-${seed}-${i}`), i);
    const [last] = await sql<{ id: number | null }[]>`SELECT max(id) AS id FROM outbox`;
    outboxId = last?.id ?? 0;
    for (let i = 0; i < 5; i++) await addRide();
  }

  async function addDriver(id: DriverId, index: number): Promise<void> {
    drivers.push(id);
    const seats = index === 0 ? 1 : 4;
    const location = index === 1 ? { latitude: 51.5074, longitude: -0.1278 } : times.pickup;
    await world.as("driver", id).goOnline({ command: { requestId: uuid(), location, vehicle: { ...car, seats } } });
    if (index === 2) await world.as("driver", id).goOffline({ command: { requestId: uuid() } });
    const driver = await readDriver(id);
    if (driver.shift === null) throw new Error("the shift did not open");
    reference.goOnline(id, { ...driver.shift, shiftId: shiftId(driver.shift.shiftId) }, driver.shift.startedAtMs);
    if (index === 2) reference.goOffline(id, driver.updateTimeMs);
  }

  async function addRide(): Promise<void> {
    const rider = riderId(`r-${seed}-${uuid()}`);
    const seats = chance(0.2) ? 3 : 1;
    const id = seats === 1 ? await quoted(world, rider) : ((await world.as("rider", rider).quoteFare({ command: { ...times, seats } })).quote?.quoteId ?? "");
    const [row] = await sql<QuoteRow[]>`SELECT * FROM fare_quote WHERE quote_id = ${id}`;
    if (row === undefined) throw new Error("the quote was not stored");
    const before = madeIds.length;
    await store.requestRide({
      request: key(),
      cause: { correlationId: "", causationId: "", traceparent: "" },
      riderId: rider,
      quoteId: quoteId(id),
      answer: () => new Uint8Array(),
    });
    const ride = rideId(madeIds[before] ?? "");
    const { createTimeMs } = await readRide(ride);
    const verdict = reference.command(
      ride,
      { type: "RequestRide", rideId: ride, riderId: rider, quote: quoteFromRow(row), quoteUsed: false, riderHasOpenRide: false },
      createTimeMs,
    );
    rides.push(ride);
    await compareEvents([verdict]);
  }

  async function step(): Promise<void> {
    const open = [...reference.rides.values()].filter(({ endedAtMs }) => endedAtMs === null);
    if (open.length < 3) await addRide();
    const dice = random.next();
    if (dice < 0.25) await stepPage();
    else if (dice < 0.33) await stepSweep();
    else if (dice < 0.36) await world.setMatchingEpoch("ewr", ++epoch);
    else await stepCommand();
    await compareAll();
  }

  async function stepPage(): Promise<void> {
    const fresh = Array.from({ length: 1 + int(12) }, anyProposal);
    const page = chance(0.2) ? [...fresh, ...earlier] : fresh;
    earlier = fresh;
    const records = page.map((facts, offset) => ({ ...proposalRecord(facts), offset, appendedAtMs: 0 }));
    const before = madeIds.length;
    const applied = await sql.begin((tx) => applyProposals(tx, records, proposals));
    const decoded = decodeProposals(records);
    const verdicts = reference.page(decoded, { epoch, offerIds: madeIds.slice(before + eventsPerRelease * applied.releases), nowMsOf: await changeTimes() });
    count("pages");
    count("offers", applied.offers);
    count("releases", applied.releases);
    count("refused proposals", applied.refused);
    await compareEvents(verdicts);
    expect(applied.refused).toBe(verdicts.filter(({ kind }) => kind === "refused").length);
  }

  function anyProposal(): ProposalFacts {
    const driven = rides.filter((id) => ["assigned", "arrived"].includes(reference.rides.get(id)?.status ?? ""));
    const release = chance(0.25);
    const ride: Ride | undefined = reference.rides.get(release && driven.length > 0 && chance(0.8) ? pick(driven) : anyRide());
    const version = (ride?.version ?? 1) + (chance(0.15) ? pick([-1, 1]) : 0);
    const driver = release && ride?.offer && chance(0.9) ? ride.offer.driverId : chance(0.05) ? driverId("d-unknown") : pick(drivers);
    return { rideId: ride?.rideId ?? uuid(), rideVersion: version, epoch: chance(0.2) ? epoch - 1 : epoch, driverId: driver, release };
  }

  async function stepSweep(): Promise<void> {
    const open = rides.filter(() => chance(0.25));
    // Due by the database's clock, in both: nobody waits for fifteen seconds here.
    const [row] = await sql<{ due: Date }[]>`SELECT date_trunc('milliseconds', clock_timestamp()) - interval '5 milliseconds' AS due`;
    if (row === undefined) throw new Error("no clock");
    for (const id of open) {
      const ride = reference.rides.get(id);
      if (ride === undefined || ride.timer === null) continue;
      const dueMs = row.due.getTime();
      const offer = ride.timer.kind === "offer" && ride.offer !== null ? { ...ride.offer, expiresAtMs: dueMs } : ride.offer;
      reference.rides.set(id, { ...ride, timer: { ...ride.timer, atMs: dueMs }, offer });
      await sql`UPDATE ride SET timer_at = ${row.due}, offer_expire_time = CASE WHEN timer_kind = 'offer' THEN ${row.due} ELSE offer_expire_time END WHERE ride_id = ${id}`;
    }
    if (chance(0.3)) return;
    const fired = await sweepPage({ sql, ids, regions, logger: world.context.logger, onCommit: () => {} });
    count("timers", fired);
    const verdicts = reference.sweep(row.due.getTime(), await changeTimes());
    await compareEvents(verdicts);
  }

  async function stepCommand(): Promise<void> {
    const id = anyRide();
    const ride = reference.rides.get(id);
    if (ride === undefined) return;
    const command = (chance(0.5) ? willingCommand(ride) : null) ?? anyCommand(ride);
    const offer = command.type === "AcceptOffer" || command.type === "DeclineOffer" ? command : null;
    const target: RideTarget = offer === null ? { kind: "ride", rideId: id } : { kind: "offer", offerId: offer.offerId, driverId: offer.driverId };
    let loaded: LoadedRide | undefined;
    const outcome: Outcome = await store.changeRide({
      request: key(),
      cause: { correlationId: "", causationId: "", traceparent: "" },
      target,
      command: (found) => {
        loaded = found;
        return command;
      },
      answer: () => new Uint8Array(),
    });
    const verdict = reference.command(loaded?.ride === null ? rideId(uuid()) : id, command, loaded?.nowMs ?? 0);
    if (outcome.kind === "refused") count("refused commands");
    expect(outcome.kind === "refused" ? outcome.reason : "accepted").toBe(verdict.kind === "refused" ? verdict.reason : "accepted");
    await compareEvents([verdict]);
  }

  /** What the ride waits for, so that histories get to their ends. */
  function willingCommand({ status, offer }: Ride): RideCommand | null {
    if (offer === null) return null;
    const { driverId: driver } = offer;
    switch (status) {
      case "offered":
        return { type: "AcceptOffer", driverId: driver, offerId: offer.offerId };
      case "assigned":
        return { type: "ArriveAtPickup", driverId: driver, metersFromPickup: 0 };
      case "arrived":
        return { type: "StartRide", driverId: driver, pinMatches: true, pinFailures: 0 };
      default:
        return { type: "CompleteRide", by: { party: "driver", driverId: driver } };
    }
  }

  function anyCommand(ride: Ride): RideCommand {
    const driver = ride.offer !== null && chance(0.9) ? ride.offer.driverId : pick(drivers);
    const offer = ride.offer?.offerId ?? null;
    const choices: readonly RideCommand[] = [
      ...(offer === null
        ? []
        : [{ type: "AcceptOffer", driverId: driver, offerId: offer } as const, { type: "AcceptOffer", driverId: driver, offerId: offer } as const]),
      ...(offer === null
        ? []
        : [
            { type: "DeclineOffer", driverId: driver, offerId: offer, goingOffline: false } as const,
            { type: "DeclineOffer", driverId: driver, offerId: offer, goingOffline: false } as const,
            { type: "DeclineOffer", driverId: driver, offerId: offer, goingOffline: false } as const,
          ]),
      { type: "ArriveAtPickup", driverId: driver, metersFromPickup: pick([0, 10, 149, 151, null]) },
      { type: "ArriveAtPickup", driverId: driver, metersFromPickup: 0 },
      { type: "StartRide", driverId: driver, pinMatches: chance(0.8), pinFailures: 0 },
      { type: "CompleteRide", by: { party: "driver", driverId: driver } },
      ...(chance(0.3) ? [{ type: "ReleaseRide", driverId: driver, reason: pick(["vehicle_problem", "no_show"] as const) } as const] : []),
      ...(chance(0.25) ? [{ type: "CancelRide", by: { party: "rider", riderId: ride.riderId }, reason: "rider_changed_mind" } as const] : []),
      ...(chance(0.1) ? [{ type: "CancelRide", by: { party: "operator" }, reason: "other" } as const] : []),
    ];
    return pick(choices);
  }

  /** When the database decided about each ride just now: the guard, a release and a sweep read the clock for themselves. */
  async function changeTimes(): Promise<(ride: string) => number> {
    const rows = await sql<{ payload: Uint8Array }[]>`SELECT payload FROM outbox WHERE id > ${outboxId} AND topic = 'ride-events.v1'`;
    const events = rows.map(({ payload }) => decodeRideEvent(payload).event);
    const times = new Map(events.map((event) => [`${event.rideId}@${event.version}`, event.occurredAtMs]));
    const nowMs = await databaseNowMs(sql);
    // One page may release a ride and offer it again: each version has its own time.
    return (ride) => times.get(`${ride}@${(reference.rides.get(ride)?.version ?? 0) + 1}`) ?? nowMs;
  }

  async function compareEvents(verdicts: readonly Verdict[]): Promise<void> {
    const rows = await sql<{ id: number; topic: string; payload: Uint8Array }[]>`SELECT id, topic, payload FROM outbox WHERE id > ${outboxId} ORDER BY id`;
    outboxId = rows.at(-1)?.id ?? outboxId;
    const written = rows.filter(({ topic }) => topic === "ride-events.v1").map(({ payload }) => decodeRideEvent(payload).event);
    const decided = verdicts.flatMap((verdict) => (verdict.kind === "event" ? [verdict.event] : []));
    for (const event of decided) count(`event ${event.body.type}`);
    const byRide = (a: { rideId: string; version: number }, b: { rideId: string; version: number }): number =>
      a.rideId < b.rideId ? -1 : a.rideId > b.rideId ? 1 : a.version - b.version;
    expect(written.toSorted(byRide)).toEqual(decided.toSorted(byRide));
    // Every change of a driver is told, whole, with the driver's version.
    const told = rows.filter(({ topic }) => topic === "driver-events.v1").map(({ payload }) => decodeDriverEvent(payload));
    const concerned = decided.filter((event) => event.driverId !== null).map((event) => `${event.driverId}@${event.driverVersion}`);
    expect(told.map(({ driver }) => `${driver.driverId}@${driver.version}`).toSorted()).toEqual(concerned.toSorted());
  }

  async function compareAll(): Promise<void> {
    const [rideRows, driverRows, offerRows] = await Promise.all([
      sql<RideRow[]>`SELECT * FROM ride ORDER BY ride_id`,
      sql<DriverRow[]>`SELECT * FROM driver ORDER BY driver_id`,
      sql<{ offer_id: string; status: string }[]>`SELECT offer_id, status FROM offer ORDER BY offer_id`,
    ]);
    expect(rideRows.map(rideFromRow)).toEqual([...reference.rides.values()].toSorted((a, b) => (a.rideId < b.rideId ? -1 : 1)));
    expect(driverRows.map(driverFromRow)).toEqual([...reference.drivers.values()].toSorted((a, b) => (a.driverId < b.driverId ? -1 : 1)));
    expect(Object.fromEntries(offerRows.map((row) => [row.offer_id, row.status]))).toEqual(Object.fromEntries(reference.offers));
    count("comparisons");
  }

  async function readDriver(id: DriverId) {
    const [row] = await sql<DriverRow[]>`SELECT * FROM driver WHERE driver_id = ${id}`;
    if (row === undefined) throw new Error(`driver ${id} is not there`);
    return driverFromRow(row);
  }

  async function readRide(id: RideId): Promise<Ride> {
    const [row] = await sql<RideRow[]>`SELECT * FROM ride WHERE ride_id = ${id}`;
    if (row === undefined) throw new Error(`ride ${id} is not there`);
    return rideFromRow(row);
  }

  function key() {
    return { principal: `p-${seed}`, method: "Test", requestId: uuid(), fingerprint: new Uint8Array([1]) };
  }

  return { begin, step };
}
