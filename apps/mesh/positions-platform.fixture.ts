/**
 * What positions pass through, for measuring: a gateway and a telemetry-ingest in processes of their own, a coordinator
 * that knows of no takeover, and a real event log whose topic can be read back.
 */
import { CoordinatorService, partitionsPerTopic, physicalTopic, timestampFromMs, topicCatalogue } from "@ridegrid/contracts";
import { createEmbeddedEventLog, type EventLog } from "@ridegrid/eventlog";
import { createKafkaEventLog } from "@ridegrid/eventlog/kafka";
import { createDevelopmentIssuer } from "@ridegrid/gateway/app";
import { listenInternal } from "@ridegrid/rpc";
import { createTestContext, createTestDatabase, freePort, startTestBroker } from "@ridegrid/testing";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DurablePositions, readDurablePositions } from "./durable-positions.fixture.ts";
import { type MeasuredServer, startServer } from "./position-drivers.fixture.ts";
import { ensureSecrets, type Secrets } from "./secrets.ts";

export type ServePositionsOptions = {
  readonly apps: readonly ("gateway" | "telemetry-ingest")[];
  readonly secrets: Secrets;
  readonly ports: { readonly http: number; readonly grpc: number; readonly ingest: number; readonly coordinator: number };
  readonly logDatabaseUrl: string;
  /** The embedded log when empty. */
  readonly brokers: readonly string[];
};

export interface PositionsPlatform extends AsyncDisposable {
  readonly port: number;
  readonly grpcPort: number;
  readonly gateway: MeasuredServer;
  readonly ingest: MeasuredServer;
  tokens(drivers: number): Promise<readonly string[]>;
  /** Of the drivers of `tokens`, in their order. */
  readonly durable: DurablePositions;
}

const topic = physicalTopic("ewr", "driver-telemetry.v1");

export async function startPositionsPlatform(log: "embedded" | "kafka"): Promise<PositionsPlatform> {
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async (): Promise<void> => {
    for (const each of stops.splice(0).toReversed()) await each();
  };
  const directory = mkdtempSync(join(tmpdir(), "ridegrid-positions-"));
  stops.push(async () => rmSync(directory, { recursive: true, force: true }));
  const secrets = await ensureSecrets(directory);
  const { eventLog, ...place } = await openLog(log, stops);
  const ports = { http: await freePort(), grpc: await freePort(), ingest: await freePort(), coordinator: await freePort() };
  const now = () => ({ now: timestampFromMs(Date.now()) });
  const coordinator = await listenInternal({
    port: ports.coordinator,
    token: secrets.meshToken,
    routes: (router) => router.service(CoordinatorService, { now, listRegionStates: () => ({}) }),
  });
  stops.push(() => coordinator.close());
  const serve = async (app: ServePositionsOptions["apps"][number]): Promise<MeasuredServer> => {
    const server = await startServer("serve-positions.ts", { apps: [app], secrets, ports, ...place } satisfies ServePositionsOptions);
    stops.push(async () => server[Symbol.asyncDispose]());
    return server;
  };
  const [ingest, gateway] = [await serve("telemetry-ingest"), await serve("gateway")];
  const durable = readDurablePositions({ eventLog, topic, partition: 0 });
  stops.push(async () => durable[Symbol.asyncDispose]());
  const issuer = await createDevelopmentIssuer({ clock: createTestContext().clock, privateJwk: secrets.issuerJwk });
  return {
    port: ports.http,
    grpcPort: ports.grpc,
    gateway,
    ingest,
    tokens: (drivers) => Promise.all(Array.from({ length: drivers }, (_, index) => issuer.issue({ role: "driver", subject: `driver-${index}` }))),
    durable,
    [Symbol.asyncDispose]: stop,
  };
}

async function openLog(log: "embedded" | "kafka", stops: (() => Promise<unknown>)[]) {
  if (log === "kafka") {
    const broker = await startTestBroker();
    stops.push(() => broker.stop());
    const eventLog = createKafkaEventLog({ brokers: [broker.address], clientId: "bench", replicas: 1, compression: "none", clock: createTestContext().clock });
    stops.push(() => eventLog.close());
    return { eventLog: await withTopics(eventLog), logDatabaseUrl: "", brokers: [broker.address] };
  }
  const database = await createTestDatabase();
  stops.push(() => database.drop());
  const eventLog = createEmbeddedEventLog({ sql: database.sql(), clock: createTestContext().clock });
  stops.push(() => eventLog.close());
  return { eventLog: await withTopics(eventLog), logDatabaseUrl: database.url, brokers: [] };
}

async function withTopics(eventLog: EventLog): Promise<EventLog> {
  await eventLog.ensureTopics(
    topicCatalogue.map(({ name, retentionMs }) => ({ topic: physicalTopic("ewr", name), partitions: partitionsPerTopic, retentionMs })),
  );
  return eventLog;
}
