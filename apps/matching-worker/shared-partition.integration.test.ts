/** After a takeover two markets share a partition: each is matched by itself, begun and ended as the coordinator says who serves it. */
import { afterEach, expect, test } from "bun:test";
import { evolveRide, marketId, type RideEvent } from "@ridegrid/domain";
import { reasonOf } from "@ridegrid/rpc";
import { eventually } from "@ridegrid/testing";
import { createWorkerFixture, type WorkerFixture } from "./matching-worker.fixture.ts";
import { availableDriver, rideRequested, timesSquare } from "./matching.fixtures.ts";

const inNewYork = "019bbbbb-0000-7000-8000-00000000000a";
const inLondon = "019bbbbb-0000-7000-8000-00000000000b";
const ofLondonNearby = "019bbbbb-0000-7000-8000-00000000000c";
const london = { latitude: 51.5074, longitude: -0.1278 };

let fixture: WorkerFixture | undefined;
afterEach(async () => {
  await fixture?.close();
  fixture = undefined;
});

test("a worker matches each market of a shared partition for itself, and only while its region serves it", async () => {
  const { openWork, ride, driver, position, proposals, clock, worker } = (fixture = await createWorkerFixture());
  const { worker: ewr, client } = worker();
  await ewr.start();
  const matches = (market: string, pickup: typeof london) =>
    client.estimatePickup({ marketId: market, pickup, seats: 1 }).then(
      () => "yes",
      (error: unknown) => reasonOf(error),
    );
  await eventually(async () => (await matches("nyc", timesSquare)) === "yes", { timeoutMs: 20_000, what: "New York" });
  expect(await matches("lon", london)).toBe("DEPENDENCY_AWAY");
  openWork.servedBy = new Map([
    ["ewr", "ewr"],
    ["lhr", "ewr"],
  ]);
  await eventually(async () => (await matches("lon", london)) === "yes", { timeoutMs: 20_000, what: "London after its takeover" });

  const newYorker = availableDriver("d-new-york");
  const someone = availableDriver("d-london");
  if (someone.shift === null) throw new Error("a driver who is available is on shift");
  const londoner = { ...someone, shift: { ...someone.shift, marketId: marketId("lon") } };
  const asked = rideRequested(inLondon, { pickup: london, atMs: clock.nowMs() });
  if (asked.body.type !== "RideRequested") throw new Error("it is a request");
  const body = { ...asked.body, marketId: marketId("lon"), dropoff: { latitude: 51.51, longitude: -0.13 } };
  const toLondon: RideEvent = { ...asked, body };
  // Near New York's driver, who would be proposed for it if markets were mixed up.
  const stray: RideEvent = { ...rideRequested(ofLondonNearby, { atMs: clock.nowMs() }), body: { ...body, pickup: timesSquare } };
  const toNewYork = rideRequested(inNewYork, { atMs: clock.nowMs() });
  // What the coordinator says as well: a worker that is stopped for too long loses its lease and begins with that.
  openWork.drivers = [londoner, newYorker];
  openWork.rides = [toLondon, stray, toNewYork].map((event) => evolveRide(null, event));
  await driver(londoner);
  await position("d-london", london, clock.nowMs(), "lon");
  await driver(newYorker);
  await position("d-new-york", timesSquare);
  await ride(stray, "lon");
  await ride(toLondon, "lon");
  await ride(toNewYork);
  await eventually(async () => new Set((await proposals()).map((one) => one.rideId)).size === 2, { timeoutMs: 20_000, what: "a proposal in each market" });
  const made = (await proposals()).map((one) => `${one.rideId} ${one.kind.value?.driverId} ${one.envelope?.homeRegion} ${one.envelope?.marketId}`);
  expect(new Set(made)).toEqual(new Set([`${inLondon} d-london ewr lon`, `${inNewYork} d-new-york ewr nyc`]));

  openWork.servedBy = new Map([
    ["ewr", "lhr"],
    ["lhr", "lhr"],
  ]);
  const none = async (): Promise<boolean> => (await matches("nyc", timesSquare)) === "DEPENDENCY_AWAY" && (await matches("lon", london)) === "DEPENDENCY_AWAY";
  await eventually(none, { timeoutMs: 20_000, what: "the end of both sessions" });
  expect(ewr.readiness()).toMatchObject([{ ready: true }]);
}, 90_000);
