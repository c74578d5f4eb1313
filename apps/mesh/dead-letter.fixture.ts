/** A record that nobody can decode, and one that the read model refuses as a faulty release would: listed, waited behind, replayed. */
import { physicalTopic } from "@ridegrid/contracts";
import { eventually } from "@ridegrid/testing";
import { expect } from "bun:test";
import { join } from "node:path";
import postgres from "postgres";
import type { LogsUnderTest } from "./event-logs.fixture.ts";
import { gatewayOf, type MeshFolder } from "./mesh.fixture.ts";
import { type Call, clientOf, type Json, newYork, requestRide } from "./ride-by-hand.fixture.ts";

const uuid = (): string => crypto.randomUUID();
const waitMs = 30_000;
const topic = physicalTopic("ewr", "ride-events.v1");
/** New York's. */
const partition = 0;

export async function deadLettersAreKeptAndReplayed(folder: MeshFolder, logs: LogsUnderTest, rider: string): Promise<void> {
  const url = gatewayOf(folder, "ewr");
  const operator = await clientOf(url, "operator", "op-letters");
  const undecodable = await appendUndecodable(folder, logs);
  const call = await clientOf(url, "rider", rider);
  const { rideId } = await requestRide(call, newYork);
  await eventually(async () => (await versionsOf(operator, rideId)).length === 1, { timeoutMs: waitMs, what: "the ride in the read model" });
  const mend = await plantFault(folder, String(rideId));
  await call("CancelRide", { requestId: uuid(), rideId, reason: "CANCEL_REASON_OTHER" });

  const letters = async (): Promise<readonly Json[]> => await opsDeadLetters(url);
  await eventually(async () => (await letters()).length >= 2, { timeoutMs: waitMs, pollMs: 500, what: "both records among the dead letters" });
  const listed = await letters();
  const [broken, refused] = [undecodable, rideId].map((key) => listed.find((letter) => letter["key"] === key));
  expect(broken).toMatchObject({ region: "ewr", consumer: "state-query", topic, partition, key: undecodable, attempts: 1 });
  expect(refused).toMatchObject({ region: "ewr", consumer: "state-query", topic, partition, key: rideId, attempts: 1 });
  expect(String(refused?.["reason"])).toContain("a planted fault");
  // The ride waits behind its record; others go on.
  const another = await clientOf(url, "rider", `${rider}-other`);
  const other = await requestRide(another, newYork);
  await eventually(async () => (await versionsOf(operator, other["rideId"])).length === 1, { timeoutMs: waitMs, what: "another ride of the partition" });
  expect(await versionsOf(operator, rideId)).toEqual([1]);
  await another("CancelRide", { requestId: uuid(), rideId: other["rideId"], reason: "CANCEL_REASON_OTHER" });

  const replay = (): Promise<Json> =>
    operator("ReplayDeadLetters", { requestId: uuid(), reason: "mended", deadLetterIds: [letterId(refused), letterId(broken)] });
  expect((await replay())["replayed"] ?? 0).toBe(0);
  await mend();
  const answers = await Promise.all([replay(), replay()]);
  expect(answers.map((answer) => answer["replayed"])).toEqual([1, 1]);
  expect(await versionsOf(operator, rideId)).toEqual([1, 2]);
  expect((await letters()).map((letter) => letter["key"])).toEqual([undecodable]);
  expect((await operator("ListInvariantViolations", {}))["violations"] ?? []).toEqual([]);
}

function letterId(letter: Json | undefined): unknown {
  return letter?.["dead_letter_id"];
}

/** Answers its key. */
async function appendUndecodable(folder: MeshFolder, logs: LogsUnderTest): Promise<string> {
  const key = uuid();
  const log = logs.client(folder, "ewr");
  await log.append(topic, partition, [{ key, value: new TextEncoder().encode("no event"), headers: {} }]);
  await log.close();
  return key;
}

/** The table refuses the ride's second event; answers how to mend it. */
async function plantFault(folder: MeshFolder, rideId: string): Promise<() => Promise<void>> {
  const sql = postgres(folder.file().databaseUrl, { max: 1, onnotice: () => {} });
  await sql.unsafe(`
    CREATE OR REPLACE FUNCTION public.refuse_event() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.ride_id = '${rideId}' AND NEW.version = 2 THEN RAISE EXCEPTION 'a planted fault'; END IF;
      RETURN NEW;
    END $$;
    GRANT USAGE ON SCHEMA public TO state;
    CREATE TRIGGER refuse_event BEFORE INSERT ON state.ride_event FOR EACH ROW EXECUTE FUNCTION public.refuse_event()`);
  return async () => {
    await sql.unsafe("DROP TRIGGER refuse_event ON state.ride_event");
    await sql.end();
  };
}

/** As an operator lists them. */
async function opsDeadLetters(url: string): Promise<readonly Json[]> {
  const script = join(import.meta.dir, "../ops-console/main.ts");
  const child = Bun.spawn([process.execPath, script, "dead-letters", "--url", url, "--json"], { stdio: ["ignore", "pipe", "pipe"] });
  const [output, complaint, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  if (code !== 0) throw new Error(`ops dead-letters ended with ${code}: ${complaint}`);
  return (JSON.parse(output) as { readonly dead_letters: readonly Json[] }).dead_letters;
}

async function versionsOf(operator: Call, rideId: unknown): Promise<readonly number[]> {
  const { entries = [] } = (await operator("GetRideTimeline", { rideId })) as { readonly entries?: readonly { readonly version?: string }[] };
  return entries.map(({ version }) => Number(version));
}
