/**
 * A matching worker on real Postgres and the embedded log, beside a coordinator of which only `ListOpenWork` is real:
 * it answers what the test says, and counts how often it was asked.
 */
import { fromBinary } from "@bufbuild/protobuf";
import { CoordinatorService, driverToWire, encodeDriverEvent, encodeRideEvent, MatchingService, openRideToWire, physicalTopic, timestampFromMs, topicCatalogue, partitionsPerTopic } from "@ridegrid/contracts";
import { type MatchProposal, MatchProposalSchema, PositionBatchSchema } from "@ridegrid/contracts/gen/event/v1/events_pb";
import type { Driver, Ride, RideEvent } from "@ridegrid/domain";
import { createEmbeddedEventLog, eventLogMigrations } from "@ridegrid/eventlog";
import { createInMemoryTransport, createServiceDirectory } from "@ridegrid/rpc";
import { migrate, type Sql } from "@ridegrid/runtime";
import { createTestContext, createTestDatabase, type TestContext } from "@ridegrid/testing";
import { create, toBinary } from "@bufbuild/protobuf";
import { createClient, type Client } from "@connectrpc/connect";
import { createMatchingWorker, type MatchingWorker } from "./app.ts";
import { nyc, regions } from "./matching.fixtures.ts";

export type WorkerFixture = Awaited<ReturnType<typeof createWorkerFixture>>;

export async function createWorkerFixture() {
  const platform = await createTestDatabase({ platform: true });
  const logDatabase = await createTestDatabase();
  const clock = createTestContext().clock;
  const eventLog = createEmbeddedEventLog({ sql: logDatabase.sql(), clock });
  await eventLog.ensureTopics(topicCatalogue.map(({ name, retentionMs }) => ({ topic: physicalTopic("ewr", name), partitions: partitionsPerTopic, retentionMs })));
  const matchingSql = (max = 4): Sql => platform.sql({ role: "matching", schema: "matching", max });
  await migrate(matchingSql(), eventLogMigrations);

  const openWork = { rides: [] as Ride[], drivers: [] as Driver[], asked: 0 };
  const coordinator = createInMemoryTransport((router) =>
    router.service(CoordinatorService, {
      listOpenWork() {
        openWork.asked++;
        return { rides: openWork.rides.map(openRideToWire), drivers: openWork.drivers.map((driver) => driverToWire(driver, null)), asOf: timestampFromMs(clock.nowMs()) };
      },
    }),
  );
  const directory = createServiceDirectory(() => coordinator);
  const workers: MatchingWorker[] = [];

  function worker(): { readonly worker: MatchingWorker; readonly context: TestContext; readonly client: Client<typeof MatchingService> } {
    const context = createTestContext();
    const made = createMatchingWorker({ context, region: "ewr", regions, sql: matchingSql(), leaseSql: matchingSql(1), relaySql: matchingSql(), eventLog, directory });
    workers.push(made);
    return { worker: made, context, client: createClient(MatchingService, createInMemoryTransport((router) => made.routes(router))) };
  }

  const envelope = (occurredAtMs: number) => ({ eventId: crypto.randomUUID(), occurredAtMs, homeRegion: "ewr", marketId: "nyc", partition: 0, correlationId: "", causationId: "", traceparent: "" });
  const publish = (topic: "ride-events.v1" | "driver-events.v1" | "driver-telemetry.v1", key: string, value: Uint8Array): Promise<void> =>
    eventLog.append(physicalTopic("ewr", topic), nyc.partition, [{ key, value, headers: {} }]);

  return {
    openWork,
    eventLog,
    clock,
    worker,
    matchingSql,
    ride: (event: RideEvent) => publish("ride-events.v1", event.rideId, encodeRideEvent(event, envelope(event.occurredAtMs))),
    driver: (driver: Driver) => publish("driver-events.v1", driver.driverId, encodeDriverEvent({ driver, cause: "ShiftStarted", ride: null, offer: null }, envelope(driver.updateTimeMs))),
    position(driverId: string, at: { readonly latitude: number; readonly longitude: number }, observedAtMs = clock.nowMs()) {
      const batch = create(PositionBatchSchema, { marketId: "nyc", driverIds: [driverId], sequences: [1n], latitudes: [at.latitude], longitudes: [at.longitude], headingsDegrees: [0], speedsMps: [0], accuraciesM: [5], observeTimesMs: [BigInt(observedAtMs)] });
      return publish("driver-telemetry.v1", "nyc", toBinary(PositionBatchSchema, batch));
    },
    async proposals(): Promise<MatchProposal[]> {
      const records = await eventLog.read(physicalTopic("ewr", "match-proposals.v1"), nyc.partition, 0, { maxRecords: 1_000, maxBytes: 1_000_000, maxWaitMs: 0 }, new AbortController().signal);
      return records.map((record) => fromBinary(MatchProposalSchema, record.value));
    },
    async stopLog() {
      await logDatabase.admin().unsafe(`ALTER DATABASE ${logDatabase.name} ALLOW_CONNECTIONS false`);
      await logDatabase.admin()`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${logDatabase.name}`;
    },
    async startLog() {
      await logDatabase.admin().unsafe(`ALTER DATABASE ${logDatabase.name} ALLOW_CONNECTIONS true`);
    },
    async close() {
      await Promise.all(workers.map((one) => one.stop()));
      await eventLog.close();
      await platform.drop();
      await logDatabase.drop();
    },
  };
}
