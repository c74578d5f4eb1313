/**
 * A matching worker on real Postgres and the embedded log, beside a coordinator of which only `ListOpenWork` is real:
 * it answers what the test says, and counts how often it was asked.
 */
import { fromBinary } from "@bufbuild/protobuf";
import {
  CoordinatorService,
  driverToWire,
  encodeDriverEvent,
  encodeRideEvent,
  MatchingService,
  openRideToWire,
  physicalTopic,
  timestampFromMs,
  topicCatalogue,
  partitionsPerTopic,
} from "@ridegrid/contracts";
import { type MatchProposal, MatchProposalSchema, PositionBatchSchema } from "@ridegrid/contracts/gen/event/v1/events_pb";
import type { Clock, Driver, Ride, RideEvent } from "@ridegrid/domain";
import { createEmbeddedEventLog, type EventLog, eventLogMigrations, type LogRecord } from "@ridegrid/eventlog";
import { createInMemoryTransport, createServiceDirectory, type ServiceDirectory } from "@ridegrid/rpc";
import { migrate, type Sql } from "@ridegrid/runtime";
import { createTestContext, createTestDatabase, type TestContext, type TestDatabase } from "@ridegrid/testing";
import { create, toBinary } from "@bufbuild/protobuf";
import { createClient, type Client } from "@connectrpc/connect";
import { createMatchingWorker, type MatchingWorker } from "./app.ts";
import { nyc, regions } from "./matching.fixtures.ts";

export type WorkerFixture = Awaited<ReturnType<typeof createWorkerFixture>>;

type Running = { readonly worker: MatchingWorker; readonly context: TestContext; readonly client: Client<typeof MatchingService> };
/** What the coordinator answers, and how often it was asked. */
type OpenWork = { rides: readonly Ride[]; drivers: readonly Driver[]; asked: number; servedBy: ReadonlyMap<string, string> };

export async function createWorkerFixture() {
  const platform = await createTestDatabase({ platform: true });
  const logDatabase = await createTestDatabase();
  const { clock } = createTestContext();
  const eventLog = createEmbeddedEventLog({ sql: logDatabase.sql(), clock });
  await eventLog.ensureTopics(
    topicCatalogue.map(({ name, retentionMs }) => ({ topic: physicalTopic("ewr", name), partitions: partitionsPerTopic, retentionMs })),
  );
  const matchingSql = (max = 4): Sql => platform.sql({ role: "matching", schema: "matching", max });
  await migrate(matchingSql(), eventLogMigrations);
  const openWork: OpenWork = {
    rides: [],
    drivers: [],
    asked: 0,
    servedBy: new Map([
      ["ewr", "ewr"],
      ["lhr", "lhr"],
    ]),
  };
  const directory = coordinatorOf(openWork, clock);
  const workers: MatchingWorker[] = [];

  function worker(): Running {
    const context = createTestContext();
    const pools = { sql: matchingSql(), leaseSql: matchingSql(1), relaySql: matchingSql() };
    const made = createMatchingWorker({ context, region: "ewr", regions, ...pools, eventLog, directory });
    workers.push(made);
    const transport = createInMemoryTransport((router) => made.routes(router));
    return { worker: made, context, client: createClient(MatchingService, transport) };
  }

  async function close(): Promise<void> {
    await Promise.all(workers.map((one) => one.stop()));
    await eventLog.close();
    await platform.drop();
    await logDatabase.drop();
  }

  return { openWork, clock, worker, matchingSql, close, ...topicsOf(eventLog, clock), ...switchOf(logDatabase) };
}

function coordinatorOf(openWork: OpenWork, clock: Clock): ServiceDirectory {
  const transport = createInMemoryTransport((router) =>
    router.service(CoordinatorService, {
      listRegionStates: () => ({ regions: [...openWork.servedBy].map(([region, servedBy]) => ({ region, servedBy })) }),
      listOpenWork() {
        openWork.asked++;
        const rides = openWork.rides.map(openRideToWire);
        const drivers = openWork.drivers.map((driver) => driverToWire(driver, null));
        return { rides, drivers, asOf: timestampFromMs(clock.nowMs()) };
      },
    }),
  );
  return createServiceDirectory(() => transport);
}

/** What the coordinator's relay and ingest would append, and what the worker did. */
function topicsOf(eventLog: EventLog, clock: Clock) {
  const origin = { homeRegion: "ewr", marketId: "nyc", partition: nyc.partition, correlationId: "", causationId: "", traceparent: "" };
  const envelope = (occurredAtMs: number, marketId = "nyc") => ({ ...origin, marketId, eventId: crypto.randomUUID(), occurredAtMs });
  const append = (topic: "ride-events.v1" | "driver-events.v1" | "driver-telemetry.v1", record: LogRecord): Promise<void> =>
    eventLog.append(physicalTopic("ewr", topic), nyc.partition, [record]);
  const publish = (topic: Parameters<typeof append>[0], key: string, value: Uint8Array): Promise<void> => append(topic, { key, value, headers: {} });

  return {
    append,
    ride: (event: RideEvent, marketId = "nyc") => publish("ride-events.v1", event.rideId, encodeRideEvent(event, envelope(event.occurredAtMs, marketId))),
    driver(driver: Driver) {
      const change = { driver, cause: "ShiftStarted", ride: null, offer: null };
      return publish("driver-events.v1", driver.driverId, encodeDriverEvent(change, envelope(driver.updateTimeMs)));
    },
    position(driverId: string, at: { readonly latitude: number; readonly longitude: number }, observedAtMs = clock.nowMs(), marketId = "nyc") {
      const place = { latitudes: [at.latitude], longitudes: [at.longitude], headingsDegrees: [0], speedsMps: [0], accuraciesM: [5] };
      const batch = create(PositionBatchSchema, {
        marketId,
        driverIds: [driverId],
        sequences: [1n],
        observeTimesMs: [BigInt(observedAtMs)],
        ...place,
      });
      return publish("driver-telemetry.v1", marketId, toBinary(PositionBatchSchema, batch));
    },
    async proposals(): Promise<MatchProposal[]> {
      const limits = { maxRecords: 1_000, maxBytes: 1_000_000, maxWaitMs: 0 };
      const records = await eventLog.read(physicalTopic("ewr", "match-proposals.v1"), nyc.partition, 0, limits, new AbortController().signal);
      return records.map((record) => fromBinary(MatchProposalSchema, record.value));
    },
  };
}

/** Closes the log's database to everybody, and opens it again. */
function switchOf(database: TestDatabase) {
  return {
    async stopLog() {
      await database.admin().unsafe(`ALTER DATABASE ${database.name} ALLOW_CONNECTIONS false`);
      await database.admin()`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${database.name}`;
    },
    async startLog() {
      await database.admin().unsafe(`ALTER DATABASE ${database.name} ALLOW_CONNECTIONS true`);
    },
  };
}
