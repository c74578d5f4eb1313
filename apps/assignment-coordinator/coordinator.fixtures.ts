/** A coordinator for tests: real Postgres, real logs, real transports, and a matching writer that is only its lease table. */
import { readFileSync } from "node:fs";
import { create, toBinary } from "@bufbuild/protobuf";
import { type Client, createClient } from "@connectrpc/connect";
import { CoordinatorService, MatchingService, physicalTopic, topicCatalogue, partitionsPerTopic } from "@ridegrid/contracts";
import { MatchProposalSchema } from "@ridegrid/contracts/gen/event/v1/events_pb";
import type { MatchingService as MatchingImpl } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import type { ServiceImpl } from "@connectrpc/connect";
import { createEmbeddedEventLog, type EmbeddedEventLog, type EventLog, eventLogMigrations, type OutboxBounds } from "@ridegrid/eventlog";
import { type Caller, callerHeaders, createInMemoryTransport, createServiceDirectory } from "@ridegrid/rpc";
import { migrate, type Sql } from "@ridegrid/runtime";
import { loadRegions, type Regions } from "@ridegrid/spatial";
import { createTestContext, createTestDatabase, type TestContext, type TestDatabase } from "@ridegrid/testing";
import { decideRide, type IdSource, quoteFare, quoteId, type Ride, rideId, riderId } from "@ridegrid/domain";
import { type Coordinator, coordinatorMigrations, createCoordinator, matchingConsumer } from "./app.ts";
import { noCause } from "./change.ts";
import { marketRules } from "./market-rules.ts";
import type { Applied, ProposalDeps } from "./proposal.ts";
import { applyProposals } from "./proposal-consumer.ts";
import { databaseNowMs } from "./read-clock.postgres.ts";
import { writeChanges } from "./write-changes.postgres.ts";

export const pinSecret = "test-pin-secret";
export const times = { pickup: { latitude: 40.758, longitude: -73.9855 }, dropoff: { latitude: 40.7484, longitude: -73.9857 } };
export const car = { seats: 4, plate: "RG 1", model: "Ioniq 5" };

export type World = {
  readonly database: TestDatabase;
  readonly context: TestContext;
  readonly regions: Regions;
  /** As the coordinator sees its schema. */
  readonly sql: Sql;
  readonly logs: ReadonlyMap<string, EmbeddedEventLog>;
  readonly coordinator: Coordinator;
  /** A client whose calls are made as somebody. */
  as(role: Caller["role"], principal: string): Client<typeof CoordinatorService>;
  setMatchingEpoch(region: string, epoch: number): Promise<void>;
  close(): Promise<void>;
};

type WorldOptions = {
  /** Without its log, relay, consumer and sweeper when false: tests call those parts themselves. */
  readonly running?: boolean;
  readonly matching?: Partial<ServiceImpl<typeof MatchingImpl>>;
  readonly poolMax?: number;
  readonly requestsPerSecond?: number;
  readonly outboxBounds?: OutboxBounds;
  /** What the coordinator gets for a region's log. */
  readonly wrapLog?: (region: string, log: EventLog) => EventLog;
};

function testRegions(): Regions {
  return loadRegions(JSON.parse(readFileSync(new URL("../../deploy/regions.json", import.meta.url), "utf8")));
}

export async function createWorld(options: WorldOptions = {}): Promise<World> {
  const { running = true, matching = {}, poolMax = 12, requestsPerSecond, outboxBounds, wrapLog = (_, log) => log } = options;
  const database = await createTestDatabase({ platform: true });
  const logDatabase = await createTestDatabase();
  const context = createTestContext();
  const regions = testRegions();
  const sql = database.sql({ role: "coordinator", schema: "coordinator", max: poolMax });
  const matchingSql = database.sql({ role: "matching", schema: "matching", max: 1 });
  await migrate(matchingSql, eventLogMigrations);
  const logSql = logDatabase.sql({ max: 8 });
  const logs = new Map<string, EmbeddedEventLog>();
  for (const { id } of regions.all) {
    const log = createEmbeddedEventLog({ sql: logSql, clock: context.clock });
    await log.ensureTopics(topicCatalogue.map(({ name, retentionMs }) => ({ topic: physicalTopic(id, name), partitions: partitionsPerTopic, retentionMs })));
    logs.set(id, log);
  }
  const directory = createServiceDirectory(() => createInMemoryTransport((router) => void router.service(MatchingService, matching)));
  const relaySql = database.sql({ role: "coordinator", schema: "coordinator", max: 4 });
  const leaseSql = database.sql({ role: "coordinator", schema: "coordinator", max: 1 });
  const eventLog = (region: string): EventLog => wrapLog(region, logOf(logs, region));
  const coordinator = createCoordinator({
    context,
    sql,
    relaySql,
    leaseSql,
    regions,
    eventLog,
    directory,
    pinSecret,
    ...(requestsPerSecond === undefined ? {} : { requestsPerSecond }),
    ...(outboxBounds === undefined ? {} : { outboxBounds }),
  });
  if (running) await coordinator.start();
  else await migrate(sql, coordinatorMigrations);
  const transport = createInMemoryTransport((router) => coordinator.routes(router));
  const client = createClient(CoordinatorService, transport);
  return {
    database,
    context,
    regions,
    sql,
    logs,
    coordinator,
    as: (role, principal) => speaking(client, { role, principal }),
    async setMatchingEpoch(region, epoch) {
      await matchingSql`
        INSERT INTO lease (home_region, consumer, partition, epoch) VALUES (${region}, ${matchingConsumer}, 0, ${epoch})
        ON CONFLICT (home_region, consumer, partition) DO UPDATE SET epoch = ${epoch}`;
    },
    async close() {
      if (running) await coordinator.stop();
      await Promise.all([...logs.values()].map((log) => log.close()));
      await database.drop();
      await logDatabase.drop();
    },
  };
}

function logOf(logs: ReadonlyMap<string, EmbeddedEventLog>, region: string): EmbeddedEventLog {
  const log = logs.get(region);
  if (log === undefined) throw new Error(`No log of region "${region}"`);
  return log;
}

function speaking(client: Client<typeof CoordinatorService>, { role, principal }: Caller): Client<typeof CoordinatorService> {
  const headers = { [callerHeaders.principal]: encodeURIComponent(principal), [callerHeaders.role]: role };
  return new Proxy(client, {
    get(target, method) {
      const call: unknown = Reflect.get(target, method);
      return typeof call === "function" ? (request: unknown, options: object = {}) => call(request, { ...options, headers }) : call;
    },
  });
}

export function uuid(): string {
  return Bun.randomUUIDv7();
}

export async function quoted(world: World, rider: string): Promise<string> {
  const { quote } = await world.as("rider", rider).quoteFare({ command: { ...times, seats: 1 } });
  return quote?.quoteId ?? "";
}

export async function requested(world: World, rider: string): Promise<string> {
  const quoteId = await quoted(world, rider);
  const { ride } = await world.as("rider", rider).requestRide({ command: { requestId: uuid(), quoteId } });
  return ride?.rideId ?? "";
}

export async function online(world: World, driver: string): Promise<void> {
  await world.as("driver", driver).goOnline({ command: { requestId: uuid(), location: times.pickup, vehicle: car } });
}

export type ProposalFacts = {
  readonly rideId: string;
  readonly rideVersion: number;
  readonly epoch: number;
  readonly driverId: string;
  readonly release?: boolean;
  readonly proposalId?: string;
  readonly homeRegion?: string;
};

/** As matching would have written it to the log. */
export function proposalRecord({ rideId, rideVersion, epoch, driverId, release = false, proposalId = uuid(), homeRegion = "ewr" }: ProposalFacts) {
  const kind = release
    ? ({ case: "release", value: { driverId, silentSeconds: 61 } } as const)
    : ({ case: "offer", value: { driverId, pickupEtaSeconds: 120 } } as const);
  const message = create(MatchProposalSchema, {
    envelope: { eventId: uuid(), homeRegion },
    proposalId,
    rideId,
    rideVersion: BigInt(rideVersion),
    leaseEpoch: BigInt(epoch),
    kind,
  });
  return { key: rideId, value: toBinary(MatchProposalSchema, message), headers: {} };
}

export async function propose(world: World, proposals: readonly ProposalFacts[]): Promise<void> {
  await world.logs.get("ewr")?.append(physicalTopic("ewr", "match-proposals.v1"), 0, proposals.map(proposalRecord));
}

/** Many requested rides at once, by the domain's own decision. */
export async function seedRides(world: World, count: number): Promise<readonly Ride[]> {
  const market = world.regions.market("nyc");
  if (market === undefined) throw new Error("market nyc is not configured");
  const nowMs = await databaseNowMs(world.sql);
  const changes = Array.from({ length: count }, () => {
    const rider = riderId(`r-${uuid()}`);
    const quote = quoteFare(market, { quoteId: quoteId(uuid()), riderId: rider, ...times, seats: 1, surge: 1, pickupEtaSeconds: 60, nowMs });
    const command = { type: "RequestRide", rideId: rideId(uuid()), riderId: rider, quote, quoteUsed: false, riderHasOpenRide: false } as const;
    const decision = decideRide(null, null, command, { nowMs, policy: market.policy, tariff: market.tariff });
    if (decision.kind === "refused") throw new Error(decision.message);
    return { kind: "ride", before: null, event: decision.event, ride: decision.ride, driver: null } as const;
  });
  await world.sql.begin((tx) =>
    writeChanges(
      tx,
      changes.map((change) => ({ change, cause: noCause })),
      uuid,
    ),
  );
  return changes.map(({ ride }) => ride);
}

/** Many drivers on shift in New York at once. */
export async function seedDrivers(world: World, count: number, prefix = "d"): Promise<readonly string[]> {
  const names = Array.from({ length: count }, (_, index) => `${prefix}-${uuid()}-${index}`);
  await world.sql`
    INSERT INTO driver (driver_id, status, version, shift_id, home_region, market_id, partition, vehicle_seats, vehicle_plate, vehicle_model, shift_start_time, update_time)
    SELECT name, 'available', 1, gen_random_uuid(), 'ewr', 'nyc', 0, 4, 'RG 1', 'Ioniq 5', date_trunc('milliseconds', now()), date_trunc('milliseconds', now())
    FROM jsonb_array_elements_text(${JSON.stringify(names)}::text::jsonb) AS name`;
  return names;
}

/** The parts that consume proposals, for tests that call them without a log. */
function proposalDeps(world: World, ids: IdSource = world.context.ids): ProposalDeps {
  const { regions } = world;
  const marketIds = regions.all.flatMap(({ markets }) => markets.map(({ marketId }) => marketId));
  return { ids, regions, matchingConsumer, marketIds, policyOfMarket: (marketId) => marketRules(regions, { marketId }).policy };
}

/** One page, delivered in a transaction of its own as the consumer does. */
export async function deliver(world: World, page: readonly ProposalFacts[], deps: ProposalDeps = proposalDeps(world)): Promise<Applied> {
  const records = page.map((facts, offset) => ({ ...proposalRecord(facts), offset, appendedAtMs: 0 }));
  return await world.sql.begin((tx) => applyProposals(tx, records, deps));
}

/** A deadlock is counted by the server, also one that a retry hides. */
export async function deadlocks(world: World): Promise<number> {
  const [row] = await world.sql<{ deadlocks: number }[]>`SELECT deadlocks::float8 AS deadlocks FROM pg_stat_database WHERE datname = current_database()`;
  return row?.deadlocks ?? 0;
}
