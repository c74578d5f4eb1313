/**
 * Nothing can assign twice: pages of proposals race each other, redelivered, while drivers decline and accept, riders
 * cancel, offers expire and leases change hands. The server counts the deadlocks.
 */
import { afterAll, afterEach, beforeAll, expect, test, setDefaultTimeout } from "bun:test";
import { decodeRideEvent } from "@ridegrid/contracts";
import { driverId, offerId, rideId, riderId } from "@ridegrid/domain";
import { createSeededRandom } from "@ridegrid/testing";
import { createWorld, deadlocks, deliver, type ProposalFacts, seedDrivers, seedRides, uuid, type World } from "./coordinator.fixtures.ts";
import { readViolations } from "./read-violations.postgres.ts";
import { createPostgresRideStore } from "./ride-store.postgres.ts";
import { sweepPage } from "./sweeper.ts";

setDefaultTimeout(60_000);

/** Until enough has happened, and no longer than this: machines differ. */
const chaosMsMax = 15_000;
const offersWanted = 400;
const seed = Number(process.env["TEST_SEED"] ?? 3);
let world: World;
let deadlocksBefore = 0;

beforeAll(async () => {
  world = await createWorld({ running: false, poolMax: 24 });
  await world.setMatchingEpoch("ewr", 1);
  deadlocksBefore = await deadlocks(world);
});
afterEach(async () => {
  expect(await readViolations(world.sql)).toEqual([]);
  expect((await deadlocks(world)) - deadlocksBefore).toBe(0);
});
afterAll(() => world.close());

test("offerProposals() gives one ride one driver, of 200 proposed at once", async () => {
  const [ride] = await seedRides(world, 1);
  const drivers = await seedDrivers(world, 200);
  const pages = inPages(
    drivers.map((driver) => ({ rideId: ride?.rideId ?? "", rideVersion: 1, epoch: 1, driverId: driver })),
    8,
  );
  const applied = await Promise.all([...pages, ...pages].map((page) => deliver(world, page)));
  console.log(`guard: 200 drivers for one ride, ${2 * pages.length} pages at once: ${sum(applied, "offers")} offer, ${sum(applied, "refused")} refused`);
  expect(sum(applied, "offers")).toBe(1);
});

test("offerProposals() gives one driver one ride, of 200 proposed at once", async () => {
  const rides = await seedRides(world, 200);
  const [driver] = await seedDrivers(world, 1);
  const pages = inPages(
    rides.map((ride) => ({ rideId: ride.rideId, rideVersion: 1, epoch: 1, driverId: driver ?? "" })),
    8,
  );
  const applied = await Promise.all([...pages, ...pages].map((page) => deliver(world, page)));
  console.log(`guard: one driver for 200 rides, ${2 * pages.length} pages at once: ${sum(applied, "offers")} offer, ${sum(applied, "refused")} refused`);
  expect(sum(applied, "offers")).toBe(1);
});

test("offers, answers, cancels, expiries and takeovers at once leave every ride and driver whole", async () => {
  const chaos = createChaos(world, seed);
  await chaos.begin();
  await Promise.all([
    ...Array.from({ length: 5 }, chaos.matcher),
    ...Array.from({ length: 6 }, chaos.person),
    chaos.sweeper(),
    chaos.sweeper(),
    chaos.checker(),
    chaos.leases(),
  ]);
  const order = await outboxOrder(world);
  console.log(`guard chaos, seed ${seed}:`, JSON.stringify({ ...chaos.tally, ...order, deadlocks: (await deadlocks(world)) - deadlocksBefore }));
  expect(chaos.tally["violations seen"] ?? 0).toBe(0);
  expect(order.orderBreaks).toBe(0);
  expect(order.versionsWithoutEvent).toBe(0);
  for (const what of ["offers", "refused", "redelivered pages", "accepted", "declined", "canceled", "timers", "epochs"])
    expect({ what, seen: (chaos.tally[what] ?? 0) > 0 }).toEqual({ what, seen: true });
});

function createChaos(world: World, seed: number) {
  const { sql, regions, context } = world;
  const random = createSeededRandom(seed);
  const tally: Record<string, number> = {};
  const store = createPostgresRideStore({ sql, ids: context.ids, regions, isOutboxFull: () => false, onCommit: () => {} });
  let drivers: readonly string[] = [];
  let endsAt = 0;
  let epoch = 1;
  const running = (): boolean => performance.now() < endsAt && (tally["offers"] ?? 0) < offersWanted;
  const count = (what: string, by = 1): void => void (tally[what] = (tally[what] ?? 0) + by);
  const int = (below: number): number => Math.floor(random.next() * below);

  async function begin(): Promise<void> {
    drivers = await seedDrivers(world, 40, "c");
    await seedRides(world, 120);
    endsAt = performance.now() + chaosMsMax;
  }

  async function matcher(): Promise<void> {
    while (running()) {
      const rides = await sql<{ ride_id: string; version: number }[]>`SELECT ride_id, version FROM ride WHERE status = 'requested' ORDER BY random() LIMIT 12`;
      if (rides.length < 6) await seedRides(world, 20);
      const page: ProposalFacts[] = rides.map((ride) => ({
        rideId: ride.ride_id,
        rideVersion: ride.version,
        epoch,
        driverId: drivers[int(drivers.length)] ?? "",
        proposalId: uuid(),
      }));
      const assigned = await sql<
        { ride_id: string; version: number; driver_id: string }[]
      >`SELECT ride_id, version, driver_id FROM ride WHERE status = 'assigned' ORDER BY random() LIMIT 1`;
      if (random.next() < 0.2)
        page.push(...assigned.map((ride) => ({ rideId: ride.ride_id, rideVersion: ride.version, epoch, driverId: ride.driver_id, release: true })));
      await deliverAndCount(page);
      if (random.next() < 0.2) {
        count("redelivered pages");
        await deliverAndCount(page);
      }
    }
  }

  async function deliverAndCount(page: readonly ProposalFacts[]): Promise<void> {
    const applied = await deliver(world, page);
    count("proposals", page.length);
    count("offers", applied.offers);
    count("releases", applied.releases);
    count("refused", applied.refused);
  }

  async function person(): Promise<void> {
    while (running()) {
      const [ride] = await sql<{ ride_id: string; rider_id: string; driver_id: string | null; offer_id: string | null; status: string }[]>`
        SELECT ride_id, rider_id, driver_id, offer_id, status FROM ride WHERE status IN ('offered', 'assigned', 'requested') ORDER BY status <> 'requested' DESC, random() LIMIT 1`;
      if (ride === undefined) continue;
      const dice = random.next();
      const driver = driverId(ride.driver_id ?? "d");
      const offer = { kind: "offer", offerId: offerId(ride.offer_id ?? uuid()), driverId: driver } as const;
      const base = {
        request: { principal: "chaos", method: "Chaos", requestId: uuid(), fingerprint: new Uint8Array() },
        cause: { correlationId: "", causationId: "", traceparent: "" },
        answer: () => new Uint8Array(),
      };
      const byRide = { kind: "ride", rideId: rideId(ride.ride_id) } as const;
      const said = (what: string) => (outcome: { kind: string }) => count(outcome.kind === "answered" ? what : "refused answers");
      if (dice < 0.35)
        await store
          .changeRide({ ...base, target: offer, command: () => ({ type: "AcceptOffer", driverId: driver, offerId: offer.offerId }) })
          .then(said("accepted"));
      else if (dice < 0.6)
        await store
          .changeRide({ ...base, target: offer, command: () => ({ type: "DeclineOffer", driverId: driver, offerId: offer.offerId, goingOffline: false }) })
          .then(said("declined"));
      else if (dice < 0.75)
        await store
          .changeRide({
            ...base,
            target: byRide,
            command: () => ({ type: "CancelRide", by: { party: "rider", riderId: riderId(ride.rider_id) }, reason: "other" }),
          })
          .then(said("canceled"));
      else if (dice < 0.9)
        await store
          .changeRide({ ...base, target: byRide, command: () => ({ type: "ReleaseRide", driverId: driver, reason: "other" }) })
          .then(said("given back"));
      else
        await sql`UPDATE ride SET timer_at = date_trunc('milliseconds', clock_timestamp()), offer_expire_time = date_trunc('milliseconds', clock_timestamp()) WHERE ride_id = ${ride.ride_id} AND timer_kind = 'offer'`;
    }
  }

  async function sweeper(): Promise<void> {
    while (running()) count("timers", await sweepPage({ sql, ids: context.ids, regions, logger: context.logger, onCommit: () => {} }));
  }

  async function checker(): Promise<void> {
    while (running()) {
      const violations = await readViolations(sql);
      if (violations.length > 0) console.log(violations);
      count("violations seen", violations.length);
      count("checks");
      await Bun.sleep(50);
    }
  }

  async function leases(): Promise<void> {
    while (running()) {
      await world.setMatchingEpoch("ewr", epoch + 1);
      await Bun.sleep(5);
      epoch += 1;
      count("epochs");
      await Bun.sleep(100);
    }
  }

  return { tally, begin, matcher, person, sweeper, checker, leases };
}

/** Outbox ids of a ride in version order, and an event for every version of every ride. */
async function outboxOrder(world: World): Promise<{ readonly events: number; readonly orderBreaks: number; readonly versionsWithoutEvent: number }> {
  const rows = await world.sql<{ payload: Uint8Array }[]>`SELECT payload FROM outbox WHERE topic = 'ride-events.v1' ORDER BY id`;
  const versions = new Map<string, number>();
  let orderBreaks = 0;
  for (const { payload } of rows) {
    const { event } = decodeRideEvent(payload);
    if (event.version !== (versions.get(event.rideId) ?? 0) + 1) orderBreaks += 1;
    versions.set(event.rideId, event.version);
  }
  const rides = await world.sql<{ ride_id: string; version: number }[]>`SELECT ride_id, version FROM ride`;
  const versionsWithoutEvent = rides.filter((ride) => versions.get(ride.ride_id) !== ride.version).length;
  return { events: rows.length, orderBreaks, versionsWithoutEvent };
}

function inPages<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, page) => items.slice(page * size, (page + 1) * size));
}

function sum<Key extends string>(rows: readonly Readonly<Record<Key, number>>[], key: Key): number {
  return rows.reduce((total, row) => total + row[key], 0);
}
