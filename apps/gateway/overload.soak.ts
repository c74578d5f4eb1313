/** Twenty seconds of HTTP at ten times a gateway's capacity: accepted calls keep their p99 within three times the unloaded one. */
import { expect, test } from "bun:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type LoadOutcome, offerLoad } from "@ridegrid/testing";
import { coordinatorWith, nyc, rideId, startGateway } from "./gateway.fixture.ts";

const trip = { pickup: nyc, dropoff: nyc, seats: 1 };
/** What the service behind takes for one, in place of a database. */
const serviceMs = 5;
const capacityPerSecond = 50;
const seconds = 20;

test("at 500 calls a second for a capacity of 50, what is accepted stays within three times its p99", async () => {
  const quoteFare = async () => {
    await sleep(serviceMs);
    return { quote: { quoteId: rideId } };
  };
  await using gateway = await startGateway({ coordinator: { ...coordinatorWith([]), quoteFare } }, { requestsPerSecond: capacityPerSecond });
  const tokens = await Promise.all(Array.from({ length: 200 }, (_, index) => gateway.token("rider", `r-${index}`)));
  const call = async (index: number): Promise<boolean> => {
    const response = await gateway.post("rider.v1.RiderService/QuoteFare", trip, tokens[index % tokens.length] ?? "");
    const text = await response.text();
    if (response.status === 200) return true;
    if (response.status !== 503 || !text.includes("RetryInfo")) throw new Error(`Answered ${response.status}: ${text}`);
    return false;
  };
  await offerLoad({ perSecond: capacityPerSecond / 2, seconds: 1, call });
  const unloaded = await offerLoad({ perSecond: capacityPerSecond / 2, seconds, call });
  const overloaded = await offerLoad({ perSecond: capacityPerSecond * 10, seconds, call });
  console.log(`${shown("half the capacity", unloaded)}\n${shown("ten times the capacity", overloaded)}`);
  expect(unloaded.refused).toBe(0);
  expect(overloaded.accepted).toBeGreaterThanOrEqual(capacityPerSecond * seconds * 0.9);
  expect(overloaded.accepted).toBeLessThanOrEqual(capacityPerSecond * seconds * 1.2);
  expect(overloaded.acceptedMs.p99).toBeLessThanOrEqual(3 * unloaded.acceptedMs.p99);
}, 300_000);

function shown(name: string, { offered, accepted, refused, acceptedMs, refusedMs }: LoadOutcome): string {
  return `${name}: ${offered} offered, ${accepted} accepted (p99 ${acceptedMs.p99.toFixed(1)} ms), ${refused} refused (p99 ${refusedMs.p99.toFixed(1)} ms)`;
}
