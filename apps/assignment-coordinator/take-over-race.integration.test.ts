/** A takeover in the middle of offers, accepts and cancels: the neighbor's log tells every ride whole, and the lost region's proposals make nothing any more. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { decodeRideEvent, physicalTopic } from "@ridegrid/contracts";
import { evolveRide, type Ride } from "@ridegrid/domain";
import { createSeededRandom, eventually } from "@ridegrid/testing";
import { createWorld, deadlocks, deliver, seedDrivers, seedRides, uuid, type World } from "./coordinator.fixtures.ts";
import { readViolations } from "./read-violations.postgres.ts";

let world: World;
beforeAll(async () => {
  world = await createWorld();
  // By chance the same number: only the region tells the two leases apart.
  await world.setMatchingEpoch("ewr", 7);
  await world.setMatchingEpoch("lhr", 7);
}, 60_000);
afterAll(() => world.close());

const ridesAtStart = 300;
const driversAtStart = 80;
const random = createSeededRandom(11);
const anyOf = <T>(items: readonly T[]): T | undefined => items[Math.floor(random.next() * items.length)];

type Proposed = { readonly proposalId: string; readonly homeRegion: string };

/** Pages of proposals from both regions' workers, as if neither knew of the other. */
async function propose(drivers: readonly string[], proposed: Proposed[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const rides = await world.sql<
      { ride_id: string; version: number }[]
    >`SELECT ride_id, version FROM ride WHERE status = 'requested' ORDER BY random() LIMIT 10`;
    const page = rides.map((ride) => ({
      rideId: ride.ride_id,
      rideVersion: Number(ride.version),
      epoch: 7,
      driverId: anyOf(drivers) ?? "",
      proposalId: uuid(),
      homeRegion: random.next() < 0.5 ? "ewr" : "lhr",
    }));
    proposed.push(...page);
    await deliver(world, page);
  }
}

/** What drivers and riders do meanwhile; a refusal is an answer like any other. */
async function live(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const offers = await world.sql<{ offer_id: string; driver_id: string }[]>`SELECT offer_id, driver_id FROM offer WHERE status = 'pending' LIMIT 4`;
    for (const { offer_id: offerId, driver_id: driver } of offers) {
      const command = { requestId: uuid(), offerId };
      const client = world.as("driver", driver);
      await (random.next() < 0.5 ? client.acceptOffer({ command }) : client.declineOffer({ command })).catch(() => {});
    }
    const [ride] = await world.sql<{ ride_id: string; rider_id: string }[]>`
      SELECT ride_id, rider_id FROM ride WHERE status IN ('requested', 'offered', 'assigned') ORDER BY random() LIMIT 1`;
    if (ride !== undefined && random.next() < 0.2) {
      await world
        .as("rider", ride.rider_id)
        .cancelRide({ command: { requestId: uuid(), rideId: ride.ride_id } })
        .catch(() => {});
    }
  }
}

async function foldNeighborsLog(): Promise<ReadonlyMap<string, Ride>> {
  const rides = new Map<string, Ride>();
  const limits = { maxRecords: 20_000, maxBytes: 100_000_000, maxWaitMs: 0 };
  const records = (await world.logs.get("lhr")?.read(physicalTopic("lhr", "ride-events.v1"), 0, 0, limits, new AbortController().signal)) ?? [];
  for (const { value } of records) {
    const { event } = decodeRideEvent(value);
    const known = rides.get(event.rideId) ?? null;
    // Each comes once and in order: nothing is left to be deduplicated, and `evolveRide` throws on a gap.
    rides.set(event.rideId, evolveRide(known, event));
  }
  return rides;
}

test("a takeover between offers, accepts and cancels loses no event, breaks no order and lets no stale proposal in", async () => {
  await seedRides(world, ridesAtStart);
  const drivers = await seedDrivers(world, driversAtStart);
  const proposed: Proposed[] = [];
  const over = new AbortController();
  const before = await deadlocks(world);
  const work = [propose(drivers, proposed, over.signal), propose(drivers, proposed, over.signal), live(over.signal), live(over.signal), live(over.signal)];
  const count = async (): Promise<number> => (await world.sql`SELECT FROM offer`).count;
  await eventually(async () => (await count()) >= 60, { timeoutMs: 30_000, what: "60 offers" });
  const { openRides } = await world.as("operator", "o-1").takeOverRegion({ command: { requestId: uuid(), region: "ewr", reason: "lost" } });
  const atTakeOver = await count();
  await eventually(async () => (await count()) >= atTakeOver + 40, { timeoutMs: 30_000, what: "40 offers of the neighbor" });
  over.abort();
  await Promise.all(work);

  const rows = await world.sql<{ ride_id: string; status: string; version: number }[]>`SELECT ride_id, status, version FROM ride WHERE home_region = 'lhr'`;
  expect(rows.count).toBe(ridesAtStart);
  const wanted = new Map(rows.map((row) => [row.ride_id, `${row.status} ${Number(row.version)}`]));
  const told = async (): Promise<ReadonlyMap<string, string>> =>
    new Map([...(await foldNeighborsLog())].map(([id, ride]) => [id, `${ride.status} ${ride.version}`]));
  await eventually(async () => Bun.deepEquals(await told(), wanted), { timeoutMs: 30_000, what: "the neighbor's log to tell every ride" });

  const [audit] = await world.sql<{ at: Date }[]>`SELECT create_time AS at FROM audit_entry WHERE method = 'TakeOverRegion'`;
  const late = await world.sql<{ proposal_id: string }[]>`SELECT proposal_id FROM offer WHERE create_time > ${audit?.at ?? new Date(0)}`;
  const regionOf = new Map(proposed.map(({ proposalId, homeRegion }) => [proposalId, homeRegion]));
  const made = late.map(({ proposal_id: id }) => regionOf.get(id));
  expect(made.filter((region) => region !== "lhr")).toEqual([]);
  expect(made.length).toBeGreaterThanOrEqual(40);
  expect(await readViolations(world.sql)).toEqual([]);
  expect((await deadlocks(world)) - before).toBe(0);
  console.log(
    `take over under load: ${openRides} open rides moved, ${atTakeOver} offers before, ${made.length} after, ${proposed.length} proposals, 0 stale accepted, 0 deadlocks`,
  );
}, 120_000);
