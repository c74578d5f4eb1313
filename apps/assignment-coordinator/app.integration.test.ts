/** A whole ride by the internal API: every step from quote to payment, through real Postgres, outbox, relay and log. */
import { afterAll, beforeAll, expect, test, setDefaultTimeout } from "bun:test";
import { decodeDriverEvent, decodeRideEvent, physicalTopic, ridePin, type TopicName } from "@ridegrid/contracts";
import { RideStatus } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import { eventually } from "@ridegrid/testing";
import { createWorld, online, pinSecret, propose, requested, times, uuid, type World } from "./coordinator.fixtures.ts";

setDefaultTimeout(60_000);

let world: World;
beforeAll(async () => {
  world = await createWorld();
  await world.setMatchingEpoch("ewr", 7);
});
afterAll(() => world.close());

async function recordsOf(topic: TopicName, key: string) {
  const limits = { maxRecords: 1_000, maxBytes: 4_000_000, maxWaitMs: 50 };
  const records = await world.logs.get("ewr")?.read(physicalTopic("ewr", topic), 0, 0, limits, new AbortController().signal);
  return (records ?? []).filter((record) => record.key === key);
}

test("a ride goes from quote to payment, and its events reach the log in order", async () => {
  const rider = world.as("rider", "r-1");
  const driver = world.as("driver", "d-1");
  await online(world, "d-1");
  const rideId = await requested(world, "r-1");
  await propose(world, [{ rideId, rideVersion: 1, epoch: 7, driverId: "d-1" }]);
  const offered = await eventually(async () => {
    const { ride } = await world.as("operator", "o-1").getRide({ rideId });
    return ride?.status === RideStatus.OFFERED && ride;
  });
  await driver.acceptOffer({ command: { requestId: uuid(), offerId: offered.offerId } });
  await driver.arriveAtPickup({ command: { requestId: uuid(), rideId, location: times.pickup } });
  await driver.startRide({ command: { requestId: uuid(), rideId, pin: ridePin(pinSecret, rideId) } });
  const completed = await driver.completeRide({ command: { requestId: uuid(), rideId } });

  expect(completed.ride?.status).toBe(RideStatus.COMPLETED);
  expect(completed.ride?.version).toBe(6n);
  const { ride } = await rider.getRide({ rideId });
  expect(ride?.receipt?.total).toEqual(ride?.fare);
  await eventually(async () => (await recordsOf("ride-events.v1", rideId)).length === 6, { what: "six events in the log" });
  const events = (await recordsOf("ride-events.v1", rideId)).map((record) => decodeRideEvent(record.value).event);
  expect(events.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(events.map(({ body }) => body.type)).toEqual(["RideRequested", "OfferSent", "OfferAccepted", "DriverArrived", "RideStarted", "RideCompleted"]);
  const drivers = (await recordsOf("driver-events.v1", "d-1")).map((record) => decodeDriverEvent(record.value));
  expect(drivers.map(({ driver: { version } }) => Number(version))).toEqual([1, 2, 3, 4, 5, 6]);
  expect((await world.as("operator", "o-1").listInvariantViolations({})).violations).toEqual([]);
});
