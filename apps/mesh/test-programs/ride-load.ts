/**
 * Riders and drivers who make whole rides as fast as the platform lets them: nobody thinks and nobody drives far, so that
 * only the platform's time is measured. All by the public API, each person with a token of his own.
 *
 * Options: `{ url, drivers, riders }`. Commands: `{ open: true }`, then `{ perSecond, rides }`, answered with `Step`.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { answerCommands, callAtRate } from "@ridegrid/testing";
import { inLanes } from "./in-lanes.ts";
import { callJson, type Json, newPerson, type Person, placeAround, Refused } from "./json-calls.ts";
import { openOfferStreams } from "./offer-streams.ts";

/** What became of one step: milliseconds from a rider's request to the offer at the driver, and to the ride's completion. */
export type Step = {
  readonly offerMs: readonly number[];
  readonly lifeMs: readonly number[];
  /** Completed while rides were asked for, the first two seconds left out. */
  readonly completedPerSecond: number;
  readonly requested: number;
  /** By method and reason. */
  readonly refused: Readonly<Record<string, number>>;
  /** Rides without an end when the step was given up. */
  readonly left: number;
};

type Ride = { readonly rider: Person; readonly requestedAt: number; readonly pin: string };

const { url, drivers, riders }: { readonly url: string; readonly drivers: number; readonly riders: number } = JSON.parse(process.argv[2] ?? "{}");
const newYork = { latitude: 40.7549, longitude: -73.984 };
const openingLanes = 16;
const positionEveryMs = 8_000;
const settleMs = 15_000;
const rampMs = 2_000;

const free: Person[] = [];
/** By id. An offer may reach its driver before its rider's answer reaches the rider. */
const rides = new Map<string, PromiseWithResolvers<Ride>>();
const seen = new Set<string>();
let step = emptyStep();

await answerCommands(async (command) => ("open" in command ? await open() : await runStep(Number(command["perSecond"]), Number(command["rides"]))));

function emptyStep() {
  return { offerMs: new Array<number>(), lifeMs: new Array<number>(), completedAt: new Array<number>(), requested: 0, refused: {} as Record<string, number> };
}

async function open(): Promise<void> {
  const fleet: Person[] = [];
  await inLanes(numbers(riders), openingLanes, async (index) => void free.push(await newPerson(url, "rider", `r-${index}`)));
  await inLanes(numbers(drivers), openingLanes, async (index) => {
    const driver = await newPerson(url, "driver", `d-${index}`);
    const vehicle = { seats: 4, plate: `D ${index}`, model: "Sedan" };
    await callJson(url, driver.token, "driver.v1.DriverService/GoOnline", { requestId: randomUUID(), location: placeAround(newYork, index), vehicle });
    fleet.push(driver);
    await report(driver, index, 1);
  });
  await openOfferStreams(url, fleet, (driver, offer) => void serve(driver, offer));
  void keepReporting(fleet);
}

/** Each driver once in eight seconds, spread evenly. */
async function keepReporting(fleet: readonly Person[]): Promise<never> {
  for (let sequence = 2; ; sequence++) {
    for (const [index, driver] of fleet.entries()) {
      void report(driver, index, sequence).catch(refusedBy);
      await sleep(positionEveryMs / fleet.length);
    }
  }
}

async function report({ token }: Person, index: number, sequence: number): Promise<void> {
  const position = { sequence: String(sequence), location: placeAround(newYork, index), accuracyM: 5, observeTime: new Date().toISOString() };
  await callJson(url, token, "driver.v1.DriverService/ReportPositions", { positions: [position] });
}

async function runStep(perSecond: number, count: number): Promise<Step> {
  step = emptyStep();
  const mine = step;
  const startedAt = performance.now();
  await callAtRate({ perSecond, calls: count, call: (index) => requestRide(index).catch(refusedBy) });
  const endedAt = performance.now();
  const deadline = endedAt + settleMs;
  while (rides.size > 0 && performance.now() < deadline) await sleep(20);
  const inTime = mine.completedAt.filter((at) => at > startedAt + rampMs && at <= endedAt).length;
  const left = rides.size;
  rides.clear();
  const { offerMs, lifeMs, requested, refused } = mine;
  return { offerMs, lifeMs, completedPerSecond: inTime / Math.max(0.001, (endedAt - startedAt - rampMs) / 1_000), requested, refused, left };
}

async function requestRide(index: number): Promise<void> {
  const rider = free.pop();
  if (rider === undefined) return note("every rider is on a ride");
  const as = "rider.v1.RiderService";
  const { quote } = await callJson(url, rider.token, `${as}/QuoteFare`, {
    pickup: placeAround(newYork, index * 7),
    dropoff: placeAround(newYork, index * 7 + 400),
    seats: 1,
  });
  const requestedAt = performance.now();
  const { ride } = await callJson(url, rider.token, `${as}/RequestRide`, { requestId: randomUUID(), quoteId: (quote as Json)["quoteId"] });
  step.requested++;
  const { rideId, pin } = ride as Json;
  rideOf(String(rideId)).resolve({ rider, requestedAt, pin: String(pin) });
}

/** A driver who takes every offer and brings the ride to its end. */
async function serve({ token }: Person, offer: Json): Promise<void> {
  const offeredAt = performance.now();
  const { offerId, rideId: id, pickup } = offer;
  const rideId = String(id);
  if (seen.has(String(offerId))) return;
  seen.add(String(offerId));
  const { rider, requestedAt, pin } = await rideOf(rideId).promise;
  step.offerMs.push(offeredAt - requestedAt);
  const as = "driver.v1.DriverService";
  try {
    await callJson(url, token, `${as}/AcceptOffer`, { requestId: randomUUID(), offerId });
    await callJson(url, token, `${as}/ArriveAtPickup`, { requestId: randomUUID(), rideId, location: pickup });
    await callJson(url, token, `${as}/StartRide`, { requestId: randomUUID(), rideId, pin });
    await callJson(url, token, `${as}/CompleteRide`, { requestId: randomUUID(), rideId });
  } catch (error) {
    return refusedBy(error);
  }
  const completedAt = performance.now();
  step.lifeMs.push(completedAt - requestedAt);
  step.completedAt.push(completedAt);
  rides.delete(rideId);
  free.push(rider);
}

function rideOf(rideId: string): PromiseWithResolvers<Ride> {
  const known = rides.get(rideId) ?? Promise.withResolvers<Ride>();
  rides.set(rideId, known);
  return known;
}

function refusedBy(error: unknown): void {
  note(error instanceof Refused ? error.message : `failed: ${error instanceof Error ? error.name : String(error)}`);
}

function note(reason: string): void {
  step.refused[reason] = (step.refused[reason] ?? 0) + 1;
}

function numbers(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index);
}
