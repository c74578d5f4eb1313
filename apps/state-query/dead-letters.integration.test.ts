/** A record that could not be applied is listed with its coordinates, and replayed once when what was wrong is mended. */
import { reasonOf } from "@ridegrid/rpc";
import { createSeededRandom, createSequentialIds, eventually } from "@ridegrid/testing";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createCity, offerAccepted, offerSent } from "./city.fixture.ts";
import { hashRides } from "./hash-rides.ts";
import { as, createTestRegion, operator, region, rideTopic, type StateProcess, type TestRegion } from "./region.fixture.ts";
import { createPostgresRideStore } from "./ride-store.postgres.ts";

let ewr: TestRegion;
let process: StateProcess;

beforeAll(async () => {
  ewr = await createTestRegion();
  process = await ewr.process();
}, 30_000);
afterAll(() => ewr.close(), 30_000);

/** A deterministic failure of one ride's second event, as a faulty release would have: the table refuses it. */
async function plantFault(rideId: string): Promise<() => Promise<void>> {
  const owner = ewr.database.sql({ max: 1 });
  await owner.unsafe(`
    CREATE FUNCTION public.refuse_event() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.ride_id = '${rideId}' AND NEW.version = 2 THEN RAISE EXCEPTION 'a planted fault'; END IF;
      RETURN NEW;
    END $$;
    GRANT USAGE ON SCHEMA public TO state;
    CREATE TRIGGER refuse_event BEFORE INSERT ON state.ride_event FOR EACH ROW EXECUTE FUNCTION public.refuse_event()`);
  return async () => void (await owner.unsafe("DROP TRIGGER refuse_event ON state.ride_event"));
}

const list = async (fields: { readonly pageSize?: number; readonly pageToken?: string } = {}) =>
  (await process.client.listRegionDeadLetters({ region, command: fields }, operator)).page;
const replay = async (...deadLetterIds: readonly string[]): Promise<number> => {
  const command = { requestId: crypto.randomUUID(), reason: "mended", deadLetterIds: [...deadLetterIds] };
  return (await process.client.replayRegionDeadLetters({ region, command }, as("operator", "o-1"))).replayed;
};
const versionOf = async (rideId: string) => (await createPostgresRideStore({ sql: ewr.sql, region }).ride(rideId))?.version ?? 0;

describe("dead letters", () => {
  test("a ride waits behind its dead letter, and goes on when it is replayed: twice asked, once done", async () => {
    const ids = createSequentialIds(40);
    const city = createCity({ random: createSeededRandom(40), ids });
    const [poisoned, other] = [city.request("r-1"), city.request("r-2")];
    const mend = await plantFault(poisoned.rideId);
    await ewr.append([
      city.goOnline("d-1"),
      poisoned.change,
      other.change,
      city.happen(poisoned.rideId, offerSent(ids), "d-1"),
      city.happen(poisoned.rideId, offerAccepted(city.ride(poisoned.rideId))),
      city.happen(other.rideId, { type: "RideCanceled", by: "rider", reason: "other", fee: null, offerId: null }),
    ]);
    await eventually(async () => (await list())?.deadLetters.length === 2, { timeoutMs: 20_000, what: "the poison and the event behind it" });
    await eventually(async () => (await versionOf(other.rideId)) === 2, { what: "the other ride to go on" });
    const [poison, waiting] = (await list())?.deadLetters ?? [];
    expect(poison).toMatchObject({ region, consumer: "state-query", topic: rideTopic, partition: 0, key: poisoned.rideId, offset: 2n, attempts: 1 });
    expect(poison?.reason).toContain("a planted fault");
    expect(waiting).toMatchObject({ key: poisoned.rideId, offset: 3n, attempts: 0 });
    expect(poison?.traceId).toHaveLength(32);

    const id = poison?.deadLetterId ?? "";
    expect(await replay(id)).toBe(0);
    expect((await list())?.deadLetters[0]).toMatchObject({ deadLetterId: id, attempts: 2 });
    expect(await versionOf(poisoned.rideId)).toBe(1);
    await mend();
    // One that only waits is not applied past the letter before it.
    expect(await replay(waiting?.deadLetterId ?? "")).toBe(0);
    expect(await Promise.all([replay(id), replay(id)])).toEqual([1, 1]);
    expect(await versionOf(poisoned.rideId)).toBe(3);
    await ewr.append([city.happen(poisoned.rideId, { type: "DriverArrived", noShowAtMs: 1, noShowDeadlineMs: 2 })]);
    await eventually(async () => (await versionOf(poisoned.rideId)) === 4, { what: "later events to be applied as they come" });
    expect(await replay(id)).toBe(1);
    expect((await list())?.deadLetters).toEqual([]);
    const truth = (async function* () {
      yield city.rides();
    })();
    expect(await hashRides(createPostgresRideStore({ sql: ewr.sql, region }).all())).toBe(await hashRides(truth));
    expect((await process.client.listReadModelViolations({ region }, operator)).violations).toEqual([]);
  }, 60_000);

  test("what does not decode is listed a page at a time, and a replay that fails says so", async () => {
    const bytes = new TextEncoder().encode("no event");
    const keys = Array.from({ length: 3 }, () => crypto.randomUUID());
    await ewr.log.append(
      rideTopic,
      0,
      keys.map((key) => ({ key, value: bytes, headers: {} })),
    );
    await eventually(async () => (await list())?.deadLetters.length === 3, { what: "three dead letters" });
    const first = await list({ pageSize: 2 });
    const second = await list({ pageSize: 2, pageToken: first?.nextPageToken ?? "" });
    expect([...(first?.deadLetters ?? []), ...(second?.deadLetters ?? [])].map(({ key }) => key)).toEqual(keys);
    expect(second?.nextPageToken).toBe("");
    expect(await replay(...(first?.deadLetters ?? []).map(({ deadLetterId }) => deadLetterId), crypto.randomUUID())).toBe(0);
    expect((await list())?.deadLetters.map(({ attempts }) => attempts)).toEqual([2, 2, 1]);
    expect(reasonOf(await list({ pageToken: "x" }).catch((error: unknown) => error))).toBe("FIELD_INVALID");
  }, 30_000);

  test("only an operator replays", async () => {
    const command = { requestId: crypto.randomUUID(), reason: "why", deadLetterIds: [crypto.randomUUID()] };
    const refused = process.client.replayRegionDeadLetters({ region, command }, as("viewer", "v-1")).catch((error: unknown) => error);
    expect(reasonOf(await refused)).toBe("ROLE_NOT_ALLOWED");
  });
});
