/** A proposal that could not be applied is listed, and replayed once when what was wrong is mended; the replay is audited. */
import { fromBinary } from "@bufbuild/protobuf";
import { physicalTopic } from "@ridegrid/contracts";
import { DeadLetterRecordSchema } from "@ridegrid/contracts/gen/event/v1/events_pb";
import { RideStatus } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import { reasonOf } from "@ridegrid/rpc";
import { eventually } from "@ridegrid/testing";
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createWorld, online, propose, requested, uuid, type World } from "./coordinator.fixtures.ts";

setDefaultTimeout(60_000);

let world: World;
beforeAll(async () => {
  world = await createWorld();
  await world.setMatchingEpoch("ewr", 7);
});
afterAll(() => world.close());

async function copies() {
  const limits = { maxRecords: 100, maxBytes: 1_000_000, maxWaitMs: 50 };
  return (await world.logs.get("ewr")?.read(physicalTopic("ewr", "dead-letters.v1"), 0, 0, limits, new AbortController().signal)) ?? [];
}

/** As a faulty release would fail: the table refuses the offer each time. */
async function plantFault(driverId: string): Promise<() => Promise<void>> {
  const owner = world.database.sql({ max: 1 });
  await owner.unsafe(`
    CREATE FUNCTION public.refuse_offer() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.driver_id = '${driverId}' THEN RAISE EXCEPTION 'a planted fault'; END IF;
      RETURN NEW;
    END $$;
    GRANT USAGE ON SCHEMA public TO coordinator;
    CREATE TRIGGER refuse_offer BEFORE INSERT ON coordinator.offer FOR EACH ROW EXECUTE FUNCTION public.refuse_offer()`);
  return async () => void (await owner.unsafe("DROP TRIGGER refuse_offer ON coordinator.offer"));
}

test("replayDeadLetters() makes the offer once, however often it is asked, and audits each request once", async () => {
  const operator = world.as("operator", "o-1");
  const [rideId] = [await requested(world, "r-1"), await online(world, "d-1")];
  const mend = await plantFault("d-1");
  await propose(world, [{ rideId, rideVersion: 1, epoch: 7, driverId: "d-1" }]);
  const letter = await eventually(async () => (await operator.listDeadLetters({ command: {} })).page?.deadLetters[0], {
    timeoutMs: 20_000,
    what: "the dead letter",
  });
  expect(letter).toMatchObject({ region: "ewr", consumer: "assignment-coordinator", topic: "ewr.match-proposals.v1", partition: 0, key: rideId, attempts: 1 });
  expect(letter.reason).toContain("a planted fault");
  const copy = await eventually(async () => (await copies()).find(({ key }) => key === rideId), { what: "the copy on the topic" });
  expect(fromBinary(DeadLetterRecordSchema, copy.value).deadLetterId).toBe(letter.deadLetterId);
  expect((await operator.listDeadLetters({ command: { region: "lhr" } })).page?.deadLetters).toEqual([]);

  const ask = (requestId = uuid()) => operator.replayDeadLetters({ command: { requestId, reason: "mended", deadLetterIds: [letter.deadLetterId] } });
  expect((await ask()).replayed).toBe(0);
  await mend();
  const requestId = uuid();
  expect((await ask(requestId)).replayed).toBe(1);
  expect((await ask(requestId)).replayed).toBe(1);
  expect((await ask()).replayed).toBe(1);
  const { ride } = await operator.getRide({ rideId });
  expect([ride?.status, ride?.version]).toEqual([RideStatus.OFFERED, 2n]);
  expect(await world.sql`SELECT FROM offer WHERE ride_id = ${rideId}`).toHaveLength(1);
  expect((await operator.listDeadLetters({ command: {} })).page?.deadLetters).toEqual([]);

  const reused = operator.replayDeadLetters({ command: { requestId, reason: "other", deadLetterIds: [letter.deadLetterId] } });
  expect(reasonOf(await reused.catch((error: unknown) => error))).toBe("REQUEST_ID_REUSED");
  const { page } = await operator.listAuditEntries({ command: {} });
  expect(page?.entries.map(({ method, principal, subject }) => ({ method, principal, subject }))).toEqual(
    Array.from({ length: 3 }, () => ({ method: "ReplayDeadLetters", principal: "o-1", subject: letter.deadLetterId })),
  );
});

test("only an operator replays; riders and drivers do not even list", async () => {
  const command = { requestId: uuid(), reason: "why", deadLetterIds: [uuid()] };
  expect(
    reasonOf(
      await world
        .as("viewer", "v-1")
        .replayDeadLetters({ command })
        .catch((error: unknown) => error),
    ),
  ).toBe("ROLE_NOT_ALLOWED");
  expect(
    reasonOf(
      await world
        .as("rider", "r-1")
        .listDeadLetters({ command: {} })
        .catch((error: unknown) => error),
    ),
  ).toBe("ROLE_NOT_ALLOWED");
  expect((await world.as("operator", "o-1").replayDeadLetters({ command })).replayed).toBe(0);
});

test("recordOperatorAct() audits an act of another service once per request", async () => {
  const act = { requestId: uuid(), method: "RebuildReadModel", reason: "a drill", subject: "ewr", before: "hash 1", after: "hash 2" };
  await world.as("operator", "o-2").recordOperatorAct(act);
  await world.as("operator", "o-2").recordOperatorAct(act);
  const { page } = await world.as("viewer", "v-1").listAuditEntries({ command: {} });
  expect(page?.entries.filter(({ method }) => method === "RebuildReadModel")).toMatchObject([
    { principal: "o-2", reason: "a drill", subject: "ewr", before: "hash 1", after: "hash 2" },
  ]);
});
