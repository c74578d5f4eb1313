/** A region of its own for one test file: a state database, an embedded log, and any number of state-query processes on them. */
import { type Client, createClient } from "@connectrpc/connect";
import { physicalTopic, StateService, topicCatalogue } from "@ridegrid/contracts";
import { createEmbeddedEventLog, type EmbeddedEventLog, type LogRecord } from "@ridegrid/eventlog";
import { asService, callerHeaders, createInMemoryTransport, createServiceDirectory, type Role } from "@ridegrid/rpc";
import { type Sql } from "@ridegrid/runtime";
import { loadRegions, type Regions } from "@ridegrid/spatial";
import { createTestContext, createTestDatabase, type TestContext, type TestDatabase } from "@ridegrid/testing";
import { fileURLToPath } from "node:url";
import { createStateQuery, type StateQuery, type StateQueryDeps } from "./app.ts";
import type { Change } from "./city.fixture.ts";

export const region = "ewr";
export const rideTopic = physicalTopic(region, "ride-events.v1");
export const driverTopic = physicalTopic(region, "driver-events.v1");

export interface StateProcess {
  readonly app: StateQuery;
  readonly client: Client<typeof StateService>;
  readonly context: TestContext;
}

export interface TestRegion {
  readonly log: EmbeddedEventLog;
  readonly sql: Sql;
  readonly logDatabase: TestDatabase;
  readonly database: TestDatabase;
  /** Started; stopped by `close()`. */
  process(overrides?: Pick<StateQueryDeps, "redis">): Promise<StateProcess>;
  append(changes: readonly Change[]): Promise<void>;
  close(): Promise<void>;
}

export async function createTestRegion(): Promise<TestRegion> {
  const [database, logDatabase, regions] = await Promise.all([createTestDatabase({ platform: true }), createTestDatabase(), readRegions()]);
  const sql = database.sql({ role: "state", schema: "state" });
  const log = createEmbeddedEventLog({ sql: logDatabase.sql(), clock: { nowMs: () => Date.now() } });
  await log.ensureTopics(topicCatalogue.map(({ name, retentionMs }) => ({ topic: physicalTopic(region, name), partitions: 8, retentionMs })));
  const apps: StateQuery[] = [];

  async function process(overrides: Pick<StateQueryDeps, "redis"> = {}): Promise<StateProcess> {
    const context = createTestContext();
    const directory = createServiceDirectory(() => transport);
    const pool = database.sql({ role: "state", schema: "state" });
    const app = createStateQuery({
      context,
      region,
      regions,
      sql: pool,
      leaseSql: database.sql({ role: "state", schema: "state", max: 1 }),
      eventLog: log,
      directory,
      ...overrides,
    });
    const transport = createInMemoryTransport((router) => app.routes(router), {
      onFault: ({ method, error }) => context.logger.error({ error, method }, "fault"),
    });
    apps.push(app);
    await app.start();
    return { app, client: createClient(StateService, transport), context };
  }

  return {
    log,
    sql,
    database,
    logDatabase,
    process,
    append: (changes) => appendChanges(log, changes),
    async close() {
      await Promise.all(apps.map((app) => app.stop()));
      await log.close();
      await Promise.all([database.drop(), logDatabase.drop()]);
    },
  };
}

async function readRegions(): Promise<Regions> {
  return loadRegions(await Bun.file(fileURLToPath(new URL("../../deploy/regions.json", import.meta.url))).json());
}

async function appendChanges(log: EmbeddedEventLog, changes: readonly Change[]): Promise<void> {
  const present = (record: LogRecord | null): readonly LogRecord[] => (record === null ? [] : [record]);
  await log.append(
    rideTopic,
    0,
    changes.flatMap((change) => present(change.ride)),
  );
  await log.append(
    driverTopic,
    0,
    changes.flatMap((change) => present(change.driver)),
  );
}

export const operator = asService("test");

export function as(role: Role, principal: string, signal?: AbortSignal) {
  const headers = { [callerHeaders.principal]: principal, [callerHeaders.role]: role };
  return signal === undefined ? { headers } : { headers, signal };
}
