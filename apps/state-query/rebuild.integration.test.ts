/** The rides are folded anew beside the live ones: equal when the model was right, mended when it was not, and from a snapshot when the log is short. */
import type { Ride } from "@ridegrid/domain";
import { reasonOf } from "@ridegrid/rpc";
import { createSeededRandom, createSequentialIds, eventually } from "@ridegrid/testing";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type Change, type City, createCity, offerAccepted, offerSent } from "./city.fixture.ts";
import { hashRides } from "./hash-rides.ts";
import { as, createTestRegion, operator, region, rideTopic, type StateProcess, type TestRegion } from "./region.fixture.ts";
import { createPostgresRideStore } from "./ride-store.postgres.ts";
import { claimRebuild } from "./rides-rebuild.postgres.ts";
import { takeRidesSnapshot } from "./rides-snapshot.postgres.ts";

let ewr: TestRegion;
let process: StateProcess;
beforeEach(async () => {
  ewr = await createTestRegion();
  process = await ewr.process();
}, 30_000);
afterEach(() => ewr.close(), 30_000);

function cityOf(seed: number, steps: number): { readonly city: City; readonly changes: readonly Change[] } {
  const city = createCity({ random: createSeededRandom(seed), ids: createSequentialIds(seed) });
  const changes = [...Array.from({ length: 10 }, (_, index) => city.goOnline(`d-${index}`)), ...Array.from({ length: steps }, () => city.step())];
  return { city, changes };
}

async function* pageOf(rides: readonly Ride[]) {
  yield rides;
}
const truth = (city: City): Promise<string> => hashRides(pageOf(city.rides()));
const modelHash = (): Promise<string> => hashRides(createPostgresRideStore({ sql: ewr.sql, region }).all());
const eventRows = () => ewr.sql`SELECT * FROM ride_event ORDER BY ride_id, version`;

async function folded(): Promise<void> {
  const { end } = await ewr.log.bounds(rideTopic, 0);
  await eventually(async () => (await ewr.sql`SELECT FROM checkpoint WHERE topic = ${rideTopic} AND next_offset = ${end}`).length === 1, {
    timeoutMs: 20_000,
    what: "the fold to reach the end of the log",
  });
}

function ask(requestId: string, principal = "o-1") {
  return process.client.rebuildReadModel({ command: { requestId, reason: "a drill", region, model: "rides" } }, as("operator", principal));
}

async function rebuild(requestId: string = crypto.randomUUID()) {
  return await eventually(async () => (await ask(requestId)).result, { timeoutMs: 30_000, what: "the rebuild to end" });
}

/** What a bug or a hand may leave: a wrong fare, a wrong event, a lost ride, one that never was. */
async function corrupt(city: City): Promise<void> {
  const [first, second] = city.rides();
  await ewr.sql`UPDATE ride_view SET ride = jsonb_set(ride, '{fare,amountMinor}', '1') WHERE ride_id = ${first?.rideId ?? ""}`;
  await ewr.sql`DELETE FROM ride_view WHERE ride_id = ${second?.rideId ?? ""}`;
  await ewr.sql`
    INSERT INTO ride_view SELECT home_region, gen_random_uuid(), partition, market_id, 'r-nobody', NULL, status, open, version, create_time, update_time, ride, pickup_latitude, pickup_longitude
    FROM ride_view WHERE ride_id = ${first?.rideId ?? ""}`;
}

describe("RebuildReadModel", () => {
  test("finds the model right, whatever is folded meanwhile, and answers the same request from what it did", async () => {
    const { city, changes } = cityOf(21, 500);
    await ewr.append(changes.slice(0, 300));
    await folded();
    const requestId = crypto.randomUUID();
    const live = (async () => {
      for (let from = 300; from < changes.length; from += 20) await ewr.append(changes.slice(from, from + 20));
    })();
    const result = await rebuild(requestId);
    await live;
    expect(result).toMatchObject({ startedFrom: "log", hashAfter: result.hashBefore });
    await folded();
    expect(await modelHash()).toBe(await truth(city));
    expect(await rebuild(requestId)).toEqual(result);
    expect(reasonOf(await ask(requestId, "o-2").catch((error: unknown) => error))).toBe("REQUEST_ID_REUSED");
    const again = await rebuild();
    expect(again).toMatchObject({ hashBefore: await truth(city), hashAfter: await truth(city), rows: BigInt(city.rides().length) });
    expect(await ewr.sql`SELECT FROM rebuilt_ride_view UNION ALL SELECT FROM rebuilt_ride_event`).toHaveLength(0);
  }, 60_000);

  test("mends wrong, lost and made-up rides and events, and says that the hashes differ", async () => {
    const { city, changes } = cityOf(22, 300);
    await ewr.append(changes);
    await folded();
    const before = await eventRows();
    await corrupt(city);
    await ewr.sql`UPDATE ride_event SET type = 'Nonsense' WHERE version = 1`;
    await ewr.sql`DELETE FROM ride_event WHERE version = 3`;
    const corrupted = await modelHash();
    const result = await rebuild();
    expect(result).toMatchObject({ startedFrom: "log", hashBefore: corrupted, hashAfter: await truth(city), rows: BigInt(city.rides().length) });
    expect(await modelHash()).toBe(await truth(city));
    expect([...(await eventRows())]).toEqual([...before]);
    expect((await process.client.listReadModelViolations({ region }, operator)).violations).toEqual([]);
  }, 60_000);

  test("starts from the stored snapshot where the log no longer reaches back, and is refused without one", async () => {
    const { city, changes } = cityOf(23, 400);
    await ewr.append(changes.slice(0, 250));
    await folded();
    const early = await takeRidesSnapshot({ sql: ewr.sql, region }, 0);
    const snapshotAt = (await ewr.log.bounds(rideTopic, 0)).end;
    expect(early).toBe(true);
    expect(await takeRidesSnapshot({ sql: ewr.sql, region }, 60_000)).toBe(false);
    await ewr.append(changes.slice(250));
    await folded();
    const events = await eventRows();
    await ewr.log.trim(rideTopic, 0, snapshotAt);
    await corrupt(city);
    const corrupted = await modelHash();
    const result = await rebuild();
    expect(result).toMatchObject({ startedFrom: "snapshot", hashBefore: corrupted, hashAfter: await truth(city), rows: BigInt(city.rides().length) });
    expect(await modelHash()).toBe(await truth(city));
    expect([...(await eventRows())]).toEqual([...events]);

    await corrupt(city);
    const untouched = await modelHash();
    await ewr.sql`DELETE FROM snapshot_ride_view WHERE ride_id IN (SELECT ride_id FROM snapshot_ride_view LIMIT 3)`;
    const lossy = await refusal();
    expect([reasonOf(lossy), String(lossy)]).toEqual(["DEPENDENCY_AWAY", expect.stringContaining("it lacks events of")]);
    await ewr.sql`DELETE FROM snapshot_position`;
    const short = await refusal();
    expect([reasonOf(short), String(short)]).toEqual(["DEPENDENCY_AWAY", expect.stringContaining("there is no stored snapshot")]);
    expect(await modelHash()).toBe(untouched);
  }, 60_000);

  test("leaves out what is a dead letter, so that its ride goes on when it is replayed", async () => {
    const ids = createSequentialIds(24);
    const city = createCity({ random: createSeededRandom(24), ids });
    const { rideId, change } = city.request("r-1");
    const online = city.goOnline("d-1");
    const sent = city.happen(rideId, offerSent(ids), "d-1");
    const owner = ewr.database.sql({ max: 1 });
    await owner.unsafe(`
      CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.version = 2 THEN RAISE EXCEPTION 'planted'; END IF; RETURN NEW; END $$;
      GRANT USAGE ON SCHEMA public TO state;
      CREATE TRIGGER refuse BEFORE INSERT ON state.ride_event FOR EACH ROW EXECUTE FUNCTION public.refuse()`);
    await ewr.append([online, change, sent, city.happen(rideId, offerAccepted(city.ride(rideId)))]);
    await folded();
    await owner.unsafe("DROP TRIGGER refuse ON state.ride_event");
    const result = await rebuild();
    expect(result.hashAfter).toBe(result.hashBefore);
    expect(await ewr.sql`SELECT FROM parked_ride_event`).toHaveLength(0);
    const letters = await ewr.sql<{ dead_letter_id: string }[]>`SELECT dead_letter_id FROM dead_letter WHERE kind = 'poison'`;
    const command = { requestId: crypto.randomUUID(), reason: "mended", deadLetterIds: letters.map((row) => row.dead_letter_id) };
    expect((await process.client.replayRegionDeadLetters({ region, command }, as("operator", "o-1"))).replayed).toBe(1);
    expect((await createPostgresRideStore({ sql: ewr.sql, region }).ride(rideId))?.version).toBe(3);
    expect((await rebuild()).hashAfter).toBe(await truth(city));
  }, 60_000);

  test("one rebuild at a time, by operators only", async () => {
    const { changes } = cityOf(25, 100);
    await ewr.append(changes);
    await folded();
    await ewr.sql.begin(async (tx) => {
      expect(await claimRebuild(tx, region)).toBe(true);
      expect(reasonOf(await refusal())).toBe("REQUEST_IN_FLIGHT");
    });
    const [first, second] = await Promise.all([outcome(crypto.randomUUID()), outcome(crypto.randomUUID())]);
    expect([first, second].filter((one) => one === "REQUEST_IN_FLIGHT").length).toBeLessThanOrEqual(1);
    expect([first, second]).toContain("done");
    const command = { requestId: crypto.randomUUID(), reason: "why", region, model: "rides" };
    expect(reasonOf(await process.client.rebuildReadModel({ command }, as("viewer", "v-1")).catch((error: unknown) => error))).toBe("ROLE_NOT_ALLOWED");
  }, 60_000);
});

function refusal(): Promise<unknown> {
  return ask(crypto.randomUUID()).catch((error: unknown) => error);
}

async function outcome(requestId: string): Promise<string> {
  try {
    await ask(requestId);
    return "done";
  } catch (error) {
    return reasonOf(error) ?? String(error);
  }
}
