/**
 * Riders who call the public API, and one who calls a bare server: at a fixed rate, or as fast as so many lanes go.
 *
 * Options: `{ url, bare }`. Commands: `{ prepare: requests }`, then `{ call, calls, perSecond }` or `{ call, calls, lanes }`,
 * answered with the milliseconds of each call and the seconds of all.
 */
import { randomUUID } from "node:crypto";
import { answerCommands, callAtRate, type Command } from "@ridegrid/testing";
import { inLanes } from "./in-lanes.ts";
import { callJson, type Json, newPerson, type Person, placeAround, postJson } from "./json-calls.ts";

const { url, bare }: { readonly url: string; readonly bare: string } = JSON.parse(process.argv[2] ?? "{}");
const london = { latitude: 51.5074, longitude: -0.1278 };
/** Each may make 20 calls a second. */
const readersCount = 300;
const preparingLanes = 16;

type Reader = { readonly person: Person; readonly rideId: string };
const readers: Reader[] = [];
/** Riders with a quote and no ride yet. */
const ready: { readonly person: Person; readonly quoteId: string }[] = [];
let turn = 0;

const calls: Readonly<Record<string, () => Promise<unknown>>> = {
  GetRide() {
    const { person, rideId } = nextReader();
    return rider(person, "GetRide", { rideId });
  },
  QuoteFare: () => quote(nextReader().person, turn),
  RequestRide() {
    const next = ready.pop();
    if (next === undefined) throw new Error("Cannot request a ride: no quote is left");
    return rider(next.person, "RequestRide", { requestId: randomUUID(), quoteId: next.quoteId });
  },
  "bare read": () => postJson(`${bare}/read`, {}, { index: turn++ % readersCount }),
  "bare write": () => postJson(`${bare}/write`, {}, { id: randomUUID(), place: placeAround(london, turn++) }),
};

await answerCommands(async (command) => ("prepare" in command ? await prepare(Number(command["prepare"])) : await run(command)));

/** People who have a ride to read, and quotes to be used. */
async function prepare(requests: number): Promise<void> {
  const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);
  await inLanes(numbers(readers.length === 0 ? readersCount : 0), preparingLanes, async (index) => {
    const person = await newPerson(url, "rider", `reader-${index}`);
    const { ride } = await rider(person, "RequestRide", { requestId: randomUUID(), quoteId: await quote(person, index) });
    readers.push({ person, rideId: String((ride as Json)["rideId"]) });
  });
  await inLanes(numbers(requests), preparingLanes, async (index) => {
    const person = await newPerson(url, "rider", `r-${randomUUID()}`);
    ready.push({ person, quoteId: await quote(person, index) });
  });
}

async function run({ call, calls: count, perSecond, lanes }: Command): Promise<Json> {
  const make = calls[String(call)];
  if (make === undefined) throw new Error(`Cannot call "${String(call)}"`);
  const millis: number[] = [];
  const timed = async (): Promise<void> => {
    const startedAt = performance.now();
    await make();
    millis.push(Math.round((performance.now() - startedAt) * 1_000) / 1_000);
  };
  const startedAt = performance.now();
  if (perSecond === undefined)
    await inLanes(
      Array.from({ length: Number(count) }, (_, index) => index),
      Number(lanes),
      timed,
    );
  else await callAtRate({ calls: Number(count), perSecond: Number(perSecond), call: timed });
  return { millis, seconds: (performance.now() - startedAt) / 1_000 };
}

function nextReader(): Reader {
  const reader = readers[turn++ % readers.length];
  if (reader === undefined) throw new Error("Cannot call: nobody was prepared");
  return reader;
}

async function quote(person: Person, index: number): Promise<string> {
  const answer = await rider(person, "QuoteFare", { pickup: placeAround(london, index), dropoff: placeAround(london, index + 400), seats: 1 });
  return String((answer["quote"] as Json)["quoteId"]);
}

function rider({ token }: Person, method: string, body: Json): Promise<Json> {
  return callJson(url, token, `rider.v1.RiderService/${method}`, body);
}
