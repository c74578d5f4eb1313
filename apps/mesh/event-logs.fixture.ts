/**
 * Where the event logs of a mesh under test are: in its Postgres, or on a real broker with a door for each region. Each
 * region's log can be shut to everybody, as one that is away, and opened again.
 */
import { createEmbeddedEventLog, type EventLog } from "@ridegrid/eventlog";
import { createKafkaEventLog } from "@ridegrid/eventlog/kafka";
import { createPostgres, createSystemClock } from "@ridegrid/runtime";
import { createTestContext, startTestBroker, type TestBroker, testBrokerMissing } from "@ridegrid/testing";
import postgres from "postgres";
import { logDatabaseName, withDatabase } from "./database-names.ts";
import type { MeshFolder } from "./mesh.fixture.ts";

export type LogKind = {
  readonly name: string;
  /** Why there can be none here; null when there can. */
  readonly missing: string | null;
  start(): Promise<LogsUnderTest>;
};

export interface LogsUnderTest {
  /** What a mesh must know to find them. */
  readonly environment: Readonly<Record<string, string>>;
  shut(folder: MeshFolder, region: string): Promise<void>;
  reopen(folder: MeshFolder, region: string): Promise<void>;
  /** A client of the region's log beside the mesh's own; the caller closes it. */
  client(folder: MeshFolder, region: string): EventLog;
  stop(): Promise<void>;
}

export const embeddedLogs: LogKind = {
  name: "its logs in Postgres",
  missing: null,
  start: async () => ({
    environment: {},
    shut: (folder, region) => allowConnections(folder, region, false),
    reopen: (folder, region) => allowConnections(folder, region, true),
    client(folder, region) {
      const sql = createPostgres({ url: withDatabase(folder.file().databaseUrl, logDatabaseName(region)), max: 2, applicationName: "test" });
      const log = createEmbeddedEventLog({ sql, clock: createSystemClock() });
      return { ...log, close: async () => void (await Promise.all([log.close(), sql.end()])) };
    },
    stop: async () => {},
  }),
};

export const kafkaLogs: LogKind = {
  name: "its logs on a Kafka broker",
  missing: testBrokerMissing(),
  start: async () => logsOn(await startTestBroker({ doors: regions.map((region) => ({ name: doorOf(region) })) })),
};

const regions = ["ewr", "lhr"];
const doorOf = (region: string): string => region.toUpperCase();

function logsOn(broker: TestBroker): LogsUnderTest {
  return {
    environment: {
      ...Object.fromEntries(regions.map((region) => [`KAFKA_BROKERS_${region.toUpperCase()}`, broker.door(doorOf(region)).address])),
      KAFKA_REPLICAS: "1",
    },
    shut: async (_folder, region) => broker.door(doorOf(region)).proxy.shut(),
    reopen: async (_folder, region) => broker.door(doorOf(region)).proxy.reopen(),
    client: () => createKafkaEventLog({ brokers: [broker.address], clientId: "test", replicas: 1, compression: "none", clock: createTestContext().clock }),
    stop: () => broker.stop(),
  };
}

async function allowConnections(folder: MeshFolder, region: string, allowed: boolean): Promise<void> {
  const sql = postgres(withDatabase(folder.file().databaseUrl, "postgres"), { max: 1, onnotice: () => {} });
  const database = logDatabaseName(region);
  await sql.unsafe(`ALTER DATABASE ${database} ALLOW_CONNECTIONS ${String(allowed)}`);
  if (!allowed) await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${database}`;
  await sql.end();
}
