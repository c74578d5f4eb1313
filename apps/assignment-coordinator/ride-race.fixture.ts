/**
 * Every command and timer of a ride at once, again and again until the ride has ended; then each version must have had
 * one winner: one event, and one caller that was told of it, or a timer.
 */
import { decodeRideEvent, ridePin } from "@ridegrid/contracts";
import type { Ride } from "@ridegrid/domain";
import { reasonOf } from "@ridegrid/rpc";
import { createSeededRandom } from "@ridegrid/testing";
import { deliver, pinSecret, seedDrivers, seedRides, times, uuid, type World } from "./coordinator.fixtures.ts";
import { sweepPage } from "./sweeper.ts";

export type RaceResult = {
  readonly rides: number;
  /** What is wrong, a line each. */
  readonly wrong: readonly string[];
  /** Calls that won, by method, and timers by event; calls that were refused, by reason. */
  readonly won: Readonly<Record<string, number>>;
  readonly refused: Readonly<Record<string, number>>;
  readonly seconds: number;
};

type Raced = { readonly rideId: string; readonly riderId: string; readonly driverId: string; readonly offerId: string };
type Claim = { readonly method: string; readonly version: number };

/** Commands by the events that they make. */
const eventsOf: Readonly<Record<string, readonly string[]>> = {
  accept: ["OfferAccepted"],
  arrive: ["DriverArrived"],
  start: ["RideStarted"],
  complete: ["RideCompleted"],
  cancel: ["RideCanceled"],
};
const timerEvents: ReadonlySet<string> = new Set(["OfferExpired", "NoDriversFound"]);

export async function raceRides(world: World, { rides, seed }: { readonly rides: number; readonly seed: number }): Promise<RaceResult> {
  const began = performance.now();
  const random = createSeededRandom(seed);
  const refused: Record<string, number> = {};
  const claims = new Map<string, readonly Claim[]>();
  let waiting: Raced[] = [];
  const racer = async (): Promise<void> => {
    for (let ride = waiting.pop(); ride !== undefined; ride = waiting.pop()) {
      claims.set(
        ride.rideId,
        await raceOne(world, ride, { next: () => random.next(), refusedFor: (reason) => (refused[reason] = (refused[reason] ?? 0) + 1) }),
      );
    }
  };
  // In waves: an offer that waited for its race would have expired by itself.
  for (let offered = 0; offered < rides; offered += waveRides) {
    waiting = [...(await offeredRides(world, Math.min(waveRides, rides - offered)))];
    await Promise.all(Array.from({ length: ridesAtOnce }, racer));
  }
  return { rides, ...(await judge(world, claims)), refused, seconds: (performance.now() - began) / 1_000 };
}

const ridesAtOnce = 12;
const waveRides = 50;
const burstsMax = 12;
const cancelShare = 0.12;
const expireShare = 0.12;

async function offeredRides(world: World, count: number): Promise<readonly Raced[]> {
  const [rides, drivers] = [await seedRides(world, count), await seedDrivers(world, count, "race")];
  await deliver(
    world,
    rides.map((ride: Ride, index) => ({ rideId: ride.rideId, rideVersion: 1, epoch: 1, driverId: drivers[index] ?? "" })),
  );
  const ids = rides.map(({ rideId }) => rideId as string);
  return await world.sql<Raced[]>`
    SELECT ride_id AS "rideId", rider_id AS "riderId", driver_id AS "driverId", offer_id AS "offerId" FROM ride WHERE ride_id = ANY(${ids}::uuid[]) AND status = 'offered'`;
}

type Burst = { readonly next: () => number; readonly refusedFor: (reason: string) => void };

async function raceOne(world: World, ride: Raced, { next, refusedFor }: Burst): Promise<readonly Claim[]> {
  const { rideId, offerId } = ride;
  const [driver, rider] = [world.as("driver", ride.driverId), world.as("rider", ride.riderId)];
  const claims: Claim[] = [];
  const claim = async (method: string, call: () => Promise<{ readonly ride?: { readonly version: bigint } | undefined }>): Promise<void> => {
    try {
      const answer = await call();
      claims.push({ method, version: Number(answer.ride?.version ?? 0) });
    } catch (error) {
      const reason = reasonOf(error);
      if (reason === undefined || reason === "INTERNAL") throw error;
      refusedFor(reason);
    }
  };
  const asked = () => ({ requestId: uuid(), rideId });
  const calls = (): readonly (() => Promise<void>)[] => [
    () => claim("accept", () => driver.acceptOffer({ command: { requestId: uuid(), offerId } })),
    () => claim("accept", () => driver.acceptOffer({ command: { requestId: uuid(), offerId } })),
    () => claim("arrive", () => driver.arriveAtPickup({ command: { ...asked(), location: times.pickup } })),
    () => claim("start", () => driver.startRide({ command: { ...asked(), pin: ridePin(pinSecret, rideId) } })),
    () => claim("complete", () => driver.completeRide({ command: asked() })),
    ...(next() < cancelShare ? [() => claim("cancel", () => rider.cancelRide({ command: asked() }))] : []),
    ...(next() < expireShare ? [() => expire(world, rideId)] : []),
  ];
  for (let burst = 0; burst < burstsMax && !(await hasEnded(world, rideId)); burst++) await Promise.all(shuffled(calls(), next).map((call) => call()));
  return claims;
}

/** The offer's time is up, and two sweepers look. */
async function expire(world: World, rideId: string): Promise<void> {
  const { sql, context, regions } = world;
  await sql`
    UPDATE ride SET timer_at = date_trunc('milliseconds', clock_timestamp()), offer_expire_time = date_trunc('milliseconds', clock_timestamp())
    WHERE ride_id = ${rideId} AND timer_kind = 'offer'`;
  const sweep = () => sweepPage({ sql, ids: context.ids, regions, logger: context.logger, onCommit: () => {} });
  await Promise.all([sweep(), sweep()]);
}

/** A ride that is back to searching has no driver here: the race is over for it too. */
async function hasEnded({ sql }: World, rideId: string): Promise<boolean> {
  return (await sql`SELECT FROM ride WHERE ride_id = ${rideId} AND status IN ('completed', 'canceled', 'no_drivers', 'requested')`).count === 1;
}

async function judge(world: World, claims: ReadonlyMap<string, readonly Claim[]>): Promise<Pick<RaceResult, "wrong" | "won">> {
  const wrong: string[] = [];
  const won: Record<string, number> = {};
  const rows = await world.sql<{ key: string; payload: Uint8Array }[]>`SELECT key, payload FROM outbox WHERE topic = 'ride-events.v1' ORDER BY id`;
  const events = Map.groupBy(rows, ({ key }) => key);
  const states = await world.sql<{ ride_id: string; version: number; status: string }[]>`SELECT ride_id, version, status FROM ride`;
  for (const { ride_id: rideId, version: last } of states) {
    const ofRide = claims.get(rideId);
    if (ofRide === undefined) continue;
    const told = (events.get(rideId) ?? []).map(({ payload }) => decodeRideEvent(payload).event);
    const versions = told.map(({ version }) => version);
    if (versions.length !== last || versions.some((version, index) => version !== index + 1))
      wrong.push(`ride ${rideId} at ${last} has events ${versions.join(" ")}`);
    for (const { version, body } of told.slice(2)) {
      const winners = ofRide.filter((claim) => claim.version === version);
      const [winner] = winners;
      const name = winner?.method ?? `timer: ${body.type}`;
      won[name] = (won[name] ?? 0) + 1;
      // The same driver may be told twice that it has accepted: asked again, it is the same answer.
      const distinct = new Set(winners.map(({ method }) => method));
      const fits = winner === undefined ? timerEvents.has(body.type) : distinct.size === 1 && eventsOf[winner.method]?.includes(body.type) === true;
      if (!fits || winners.length > 1)
        wrong.push(`version ${version} of ride ${rideId} is ${body.type} and was won by ${winners.map(({ method }) => method).join(", ") || "nobody"}`);
    }
    for (const claim of ofRide.filter(({ version }) => version > last))
      wrong.push(`${claim.method} of ride ${rideId} was told version ${claim.version}, which is not there`);
  }
  return { wrong, won };
}

function shuffled<T>(items: readonly T[], next: () => number): readonly T[] {
  return items
    .map((item) => ({ item, at: next() }))
    .toSorted((left, right) => left.at - right.at)
    .map(({ item }) => item);
}
