/** A whole ride by the internal API: every step from quote to payment, through real Postgres, outbox, relay and log. */
import { afterAll, beforeAll, expect, test, setDefaultTimeout } from "bun:test";
import { fromBinary } from "@bufbuild/protobuf";
import { decodeDriverEvent, decodeRideEvent, physicalTopic, ridePin, type TopicName } from "@ridegrid/contracts";
import { DeadLetterRecordSchema } from "@ridegrid/contracts/gen/event/v1/events_pb";
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
  await eventually(async () => (await recordsOf("driver-events.v1", "d-1")).length === 6, { what: "six events of the driver in the log" });
  const drivers = (await recordsOf("driver-events.v1", "d-1")).map((record) => decodeDriverEvent(record.value));
  expect(drivers.map(({ driver: { version } }) => Number(version))).toEqual([1, 2, 3, 4, 5, 6]);
  expect((await world.as("operator", "o-1").listInvariantViolations({})).violations).toEqual([]);
});

test("a record that is no proposal becomes a dead letter, and the partition goes on", async () => {
  await online(world, "d-2");
  const rideId = await requested(world, "r-2");
  await world.logs.get("ewr")?.append(physicalTopic("ewr", "match-proposals.v1"), 0, [{ key: "nonsense", value: new Uint8Array([0xff, 0xff]), headers: {} }]);
  await propose(world, [{ rideId, rideVersion: 1, epoch: 7, driverId: "d-2" }]);
  await eventually(async () => (await world.as("operator", "o-1").getRide({ rideId })).ride?.status === RideStatus.OFFERED, {
    what: "an offer after the poison",
  });
  const letters = await world.sql<{ key: string; kind: string }[]>`SELECT key, kind FROM dead_letter`;
  expect([...letters]).toEqual([{ key: "nonsense", kind: "poison" }]);
  const [copy] = await eventually(async () => {
    const found = await recordsOf("dead-letters.v1", "nonsense");
    return found.length > 0 && found;
  });
  expect(fromBinary(DeadLetterRecordSchema, copy?.value ?? new Uint8Array())).toMatchObject({
    consumer: "assignment-coordinator",
    topic: "ewr.match-proposals.v1",
    attempts: 1,
  });
});

test("an epoch that has ended makes no offers", async () => {
  const rideId = await requested(world, "r-3");
  await online(world, "d-3");
  await world.setMatchingEpoch("ewr", 8);
  await propose(world, [{ rideId, rideVersion: 1, epoch: 7, driverId: "d-3" }]);
  const end = (await world.logs.get("ewr")?.bounds(physicalTopic("ewr", "match-proposals.v1"), 0))?.end;
  await eventually(async () => (await world.sql`SELECT FROM checkpoint WHERE topic = 'ewr.match-proposals.v1' AND next_offset = ${end ?? -1}`).count === 1, {
    what: "the proposal to be consumed",
  });
  expect((await world.as("operator", "o-1").getRide({ rideId })).ride?.status).toBe(RideStatus.REQUESTED);
});

test("getPipelineHealth() tells of consumers, outboxes, leases and the process", async () => {
  const { health } = await world.as("operator", "o-1").getPipelineHealth({});
  expect(health?.consumers.map(({ region, topic, partition, lag }) => ({ region, topic, partition, lag }))).toContainEqual({
    region: "ewr",
    topic: "match-proposals.v1",
    partition: 0,
    lag: 0n,
  });
  expect(health?.outboxes.map(({ writer, region }) => `${writer}/${region}`)).toEqual(["assignment-coordinator/ewr", "assignment-coordinator/lhr"]);
  expect(health?.leases.map(({ region, consumer }) => `${region}/${consumer}`)).toEqual([
    "ewr/assignment-coordinator",
    "ewr/matching-worker",
    "lhr/assignment-coordinator",
  ]);
  expect(health?.processes).toMatchObject([{ name: "assignment-coordinator", ready: true, detail: "" }]);
  expect(await world.context.metricsText()).toContain("invariant_violations 0");
});
