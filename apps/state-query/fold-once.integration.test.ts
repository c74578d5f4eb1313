/** One event has one effect, however often it is delivered and wherever its consumer dies; the model is the fold of the log (I7, I8). */
import { afterEach, describe, expect, test } from "bun:test";
import type { Ride } from "@ridegrid/domain";
import { reasonOf } from "@ridegrid/rpc";
import { createSeededRandom, createSequentialIds, eventually } from "@ridegrid/testing";
import { createCity, type City } from "./city.fixture.ts";
import { hashRides } from "./hash-rides.ts";
import { createTestRegion, driverTopic, operator, region, rideTopic, type TestRegion } from "./region.fixture.ts";
import { createPostgresRideStore } from "./ride-store.postgres.ts";

let ewr: TestRegion | null = null;
afterEach(async () => {
  await ewr?.close();
  ewr = null;
}, 30_000);

function cityOf(seed: number, steps: number) {
  const city = createCity({ random: createSeededRandom(seed), ids: createSequentialIds(seed) });
  const changes = [...Array.from({ length: 20 }, (_, index) => city.goOnline(`d-${index}`)), ...Array.from({ length: steps }, () => city.step())];
  return { city, changes };
}

async function* pageOf(rides: readonly Ride[]) {
  yield rides;
}

const modelHash = (of: TestRegion): Promise<string> => hashRides(createPostgresRideStore({ sql: of.sql, region }).all());

/** Everything appended is behind both checkpoints. */
async function caughtUp(of: TestRegion): Promise<void> {
  const ends = { [rideTopic]: (await of.log.bounds(rideTopic, 0)).end, [driverTopic]: (await of.log.bounds(driverTopic, 0)).end };
  await eventually(
    async () => {
      const rows = await of.sql<{ topic: string; next_offset: number }[]>`SELECT topic, next_offset FROM checkpoint`;
      return rows.length === 2 && rows.every((row) => row.next_offset === ends[row.topic]);
    },
    { timeoutMs: 20_000, what: "the fold to reach the end of the log" },
  );
}

async function expectModel(of: TestRegion, city: City): Promise<void> {
  expect(await modelHash(of)).toBe(await hashRides(pageOf(city.rides())));
  const versions = city.rides().reduce((sum, ride) => sum + ride.version, 0);
  const [events] = await of.sql`SELECT count(*) AS events, count(DISTINCT (ride_id, version)) AS versions FROM ride_event`;
  expect(events).toEqual({ events: versions, versions });
  const drivers = await of.sql<{ driver_id: string; version: number }[]>`SELECT driver_id, version FROM driver_view`;
  for (const { driver_id, version } of drivers) expect({ driver_id, version }).toEqual({ driver_id, version: city.driver(driver_id).version });
  expect(drivers.length).toBe(20);
}

/** Ends the session of every third batch in its last statement: after its effect and before its commit. */
async function killAtCheckpoint(of: TestRegion): Promise<{ readonly kills: () => Promise<number>; readonly stop: () => Promise<void> }> {
  const owner = of.database.sql({ max: 1 });
  await owner.unsafe(`
    CREATE SEQUENCE public.batches;
    CREATE FUNCTION public.kill_at_checkpoint() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
      IF nextval('public.batches') % 3 = 0 THEN
        PERFORM pg_terminate_backend(pg_backend_pid());
      END IF;
      RETURN NEW;
    END $$;
    GRANT USAGE ON SCHEMA public TO state;
    CREATE TRIGGER kill_at_checkpoint BEFORE INSERT OR UPDATE ON state.checkpoint FOR EACH ROW EXECUTE FUNCTION public.kill_at_checkpoint()`);
  return {
    kills: async () => (await owner<{ kills: number }[]>`SELECT last_value / 3 AS kills FROM public.batches`)[0]?.kills ?? 0,
    stop: async () => void (await owner.unsafe("DROP TRIGGER kill_at_checkpoint ON state.checkpoint")),
  };
}

describe("the read model", () => {
  test("has one effect per event when its consumer dies between the effect and the checkpoint", async () => {
    ewr = await createTestRegion();
    const of = ewr;
    await of.process();
    const fault = await killAtCheckpoint(of);
    const { city, changes } = cityOf(11, 600);
    for (let from = 0; from < changes.length; from += 104) {
      await of.append(changes.slice(from, from + 104));
      await caughtUp(of);
    }
    await fault.stop();
    await expectModel(of, city);
    expect(await fault.kills()).toBeGreaterThanOrEqual(4);
  }, 60_000);

  test("keeps its hash when the topics are replayed twice, and gets it again when it is dropped and rebuilt", async () => {
    ewr = await createTestRegion();
    const of = ewr;
    const process = await of.process();
    const { city, changes } = cityOf(12, 400);
    await of.append(changes);
    await caughtUp(of);
    await expectModel(of, city);
    for (const again of [changes, changes]) await of.append(again);
    await caughtUp(of);
    await expectModel(of, city);
    expect(await process.context.metricsText()).toMatch(
      new RegExp(
        `read_model_events[^\\n]*result="duplicate"[^\\n]*topic="${rideTopic}"[^\\n]* [1-9]|read_model_events[^\\n]*topic="${rideTopic}"[^\\n]*result="duplicate"[^\\n]* [1-9]`,
      ),
    );
    await process.app.stop();
    await of.sql`TRUNCATE ride_view, ride_event, parked_ride_event, driver_view, driver_event, checkpoint`;
    const rebuilt = await of.process();
    await caughtUp(of);
    await expectModel(of, city);
    expect((await rebuilt.client.listReadModelViolations({ region }, operator)).violations).toEqual([]);
  }, 60_000);

  test("is the same when records come late, out of order and twice", async () => {
    ewr = await createTestRegion();
    const of = ewr;
    await of.process();
    const { city, changes } = cityOf(13, 300);
    const random = createSeededRandom(13);
    const shuffled = [...changes, ...changes.filter(() => random.next() < 0.3)]
      .map((change, index) => ({ change, at: index + random.next() * 40 }))
      .toSorted((left, right) => left.at - right.at);
    for (let from = 0; from < shuffled.length; from += 40) await of.append(shuffled.slice(from, from + 40).map(({ change }) => change));
    await caughtUp(of);
    await expectModel(of, city);
    expect(await of.sql`SELECT FROM parked_ride_event`).toHaveLength(0);
  }, 60_000);

  test("is folded by another process within a lease when one stops, and streams end there with DRAINING", async () => {
    ewr = await createTestRegion();
    const of = ewr;
    const [first, second] = [await of.process(), await of.process()];
    const { city, changes } = cityOf(15, 100);
    await of.append(changes.slice(0, 60));
    await caughtUp(of);
    const stream = first.client.watchDriver({ region, driverId: "d-0", command: {} }, operator)[Symbol.asyncIterator]();
    await stream.next();
    const began = performance.now();
    await first.app.stop();
    expect(
      reasonOf(
        await stream
          .next()
          .then(() => stream.next())
          .catch((error: unknown) => error),
      ),
    ).toBe("DRAINING");
    await of.append(changes.slice(60));
    await caughtUp(of);
    expect(performance.now() - began).toBeLessThan(5_000);
    await expectModel(of, city);
    const { health } = await second.client.getRegionHealth({ region }, operator);
    expect(health?.leases).toMatchObject([{ owner: second.context.processId, epoch: 2n }]);
  }, 60_000);

  test("goes on being read while the event log is away, and folds on when it is back", async () => {
    ewr = await createTestRegion();
    const of = ewr;
    const process = await of.process();
    const { city, changes } = cityOf(14, 100);
    await of.append(changes.slice(0, 60));
    await caughtUp(of);
    const { admin, name } = of.logDatabase;
    await admin().unsafe(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
    await admin()`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${name}`;
    const began = performance.now();
    const { page } = await process.client.searchRides({ region, command: { pageSize: 100 } }, operator);
    expect(page?.rides.length).toBeGreaterThan(0);
    const { health } = await process.client.getRegionHealth({ region }, operator);
    expect(health?.processes[0]?.detail).toContain("event log");
    expect(performance.now() - began).toBeLessThan(3_000);
    await admin().unsafe(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
    await eventually(() => of.append(changes.slice(60)).then(() => true), { timeoutMs: 20_000, what: "the log to be back" });
    await caughtUp(of);
    await expectModel(of, city);
  }, 60_000);
});
