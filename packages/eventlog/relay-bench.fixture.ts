/**
 * An outbox on a real Postgres with a real broker beside it (where Java and Maven are missing, the embedded log), and events
 * as long as real ones: what the relay's bench and its soak measure on. The Postgres is a test server: it does not wait for the disk.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startKafkaBroker } from "@ridegrid/runtime";
import { createTestContext, createTestDatabase, freePort, type TestDatabase, testBrokerMissing } from "@ridegrid/testing";
import type { Pool } from "./dependencies.ts";
import type { EventLog } from "./event-log.ts";
import { createRelay, type Relay } from "./relay.ts";
import { applyEventLogMigrations } from "./test-programs/apply-migrations.ts";
import { benchPartitions, benchTopic, openBenchLog } from "./test-programs/bench-log.ts";

const brokerHeapMegabytes = 512;
export const brokerName = "Apache Kafka";

export interface RelayBench {
  readonly database: TestDatabase;
  readonly sql: Pool;
  readonly log: EventLog;
  /** What `openBenchLog` of another process takes. */
  readonly place: string;
  readonly logName: string;
  /** A home region that nobody used before, with its topic; earlier ones' rows stay in the outbox, as they do for a day. */
  newRegion(): Promise<string>;
  startRelay(region: string): Promise<Relay>;
  /** Sessions that count as the relay's. */
  relayPool(): Pool;
  /** CPU seconds so far of this process, of the relay's Postgres sessions and of the broker. */
  cpuSeconds(): Promise<CpuSeconds>;
  close(): Promise<void>;
}

export type CpuSeconds = { readonly relay: number; readonly postgres: number; readonly broker: number };

export async function startRelayBench(): Promise<RelayBench> {
  const missing = testBrokerMissing();
  if (missing !== null) process.stderr.write(`Measuring on the embedded log: ${missing}\n`);
  const directory = mkdtempSync(join(tmpdir(), "ridegrid-bench-"));
  const ports = { port: await freePort(), controllerPort: await freePort() };
  const broker =
    missing === null ? await startKafkaBroker({ dataDirectory: join(directory, "kafka"), ...ports, heapMegabytes: brokerHeapMegabytes }) : undefined;
  const database = await createTestDatabase();
  const sql = database.sql({ max: 3, statementTimeoutMs: 0 });
  await applyEventLogMigrations(sql);
  const place = broker?.address ?? database.url;
  const log = openBenchLog(place);
  let regions = 0;
  const relayPool = (): Pool => database.sql({ max: 4, applicationName: "bench-relay" });
  return {
    database,
    sql,
    log,
    place,
    logName: broker === undefined ? "the embedded log" : brokerName,
    async newRegion() {
      const region = `r${regions++}`;
      await log.ensureTopics([{ topic: `${region}.${benchTopic}`, partitions: benchPartitions, retentionMs: 3_600_000 }]);
      return region;
    },
    async startRelay(region) {
      const relay = createRelay({ context: createTestContext(), sql: relayPool(), writer: "bench", regions: [region], eventLog: () => log });
      await relay.start();
      return relay;
    },
    relayPool,
    async cpuSeconds() {
      const { user, system } = process.cpuUsage();
      const sessions = await sql<{ pid: number }[]>`SELECT pid FROM pg_stat_activity WHERE application_name = 'bench-relay'`;
      const postgres = sessions.reduce((sum, { pid }) => sum + cpuSecondsOf(pid), 0);
      return { relay: (user + system) / 1e6, postgres, broker: broker === undefined ? 0 : cpuSecondsOf(broker.pid) };
    },
    async close() {
      await log.close();
      await broker?.stop();
      await database.drop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** From the kernel: ticks of a hundredth of a second. */
function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Ride events by the thousand a transaction: 240 to 330 bytes and three headers, as the coordinator writes them. */
export async function addRideEvents(sql: Pool, region: string, count: number): Promise<void> {
  const perTransaction = 1_000;
  for (let added = 0; added < count; added += perTransaction) {
    await sql`
      INSERT INTO outbox (home_region, topic, partition, key, event_id, payload, headers)
      SELECT ${region}::text, ${benchTopic}::text, n % ${benchPartitions}::integer, ride, event::uuid,
        convert_to(event || ride || gen_random_uuid() || gen_random_uuid() || rpad('nyc ewr rider-1 RideRequested Ioniq 5', 100 + (n * 37) % 90, 'US Dollar 12.34'), 'UTF8'),
        jsonb_build_object('event-id', event, 'type', 'RideRequested', 'traceparent', '00-' || replace(gen_random_uuid()::text, '-', '') || '-b7ad6b7169203331-01')
      FROM (SELECT n, gen_random_uuid()::text AS ride, gen_random_uuid()::text AS event FROM generate_series(1, ${perTransaction}::integer) n OFFSET 0) events`;
  }
}
