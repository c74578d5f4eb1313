/**
 * The services of compose.yaml that run our image, as processes: each on a loopback address of its own, where its name
 * leads in the others' variables. Postgres, with PostGIS where there is one, the broker and Redis are real ones of the
 * test's own.
 */
import { RedisClient } from "bun";
import { createPostgres } from "@ridegrid/runtime";
import {
  createTestDatabase,
  postgisServerMissing,
  redisServerMissing,
  startPostgisServer,
  startRedisServer,
  startTestBroker,
  testBrokerMissing,
} from "@ridegrid/testing";
import { type ComposeService, ownServices, readComposeFile, startOrder } from "./compose-file.fixture.ts";
import type { Container } from "./container.fixture.ts";

const healthyTimeoutMs = 120_000;

type Run = (name: string, command: readonly string[], environment: Readonly<Record<string, string>>) => Container;

export interface ComposedServices {
  /** Each behind what it waits for. */
  readonly order: readonly string[];
  /** Starts each service when those that it waits for are healthy or have done their job, as compose does. */
  start(run: Run): Promise<void>;
  url(name: string, port: number): string;
  /** Of the read models' searches by place, by the database's word. */
  geography(): Promise<unknown>;
  /** Forgets the buckets that gateways share; answers those that there were, and that had not lapsed yet. */
  takeSharedBuckets(): Promise<readonly string[]>;
  /** Asks every service to stop, the last first; answers their exit codes. */
  stop(): Promise<Readonly<Record<string, number | null>>>;
  /** Ends the servers. */
  end(): Promise<void>;
}

export function composedServicesMissing(): string | null {
  return testBrokerMissing() ?? redisServerMissing();
}

export async function composedServices(): Promise<ComposedServices> {
  const file = readComposeFile();
  const own = new Map(ownServices(file));
  const order = startOrder(file).filter((name) => own.has(name));
  const [database, broker, redis] = [await emptyDatabase(), await startTestBroker(), await startRedisServer()];
  const addresses = loopbackAddresses(order);
  const servers = { "redpanda:9092": broker.address, "redis:6379": `127.0.0.1:${redis.port}` };
  const containers = new Map<string, Container>();

  /** Names become addresses; the database has a name and a user of its own here. */
  function environmentOf(name: string, { environment }: ComposeService): Readonly<Record<string, string>> {
    const led = Object.entries(environment).map(([variable, value]) => [variable, leadTo(value, addresses, servers)]);
    const { DATABASE_URL, ...others } = Object.fromEntries(led) as Readonly<Record<string, string>>;
    return { ...others, ...(DATABASE_URL === undefined ? {} : { DATABASE_URL: database.url }), RIDEGRID_HOST: addresses.get(name) ?? "" };
  }

  return {
    order,
    async start(run) {
      const started = new Map<string, Promise<void>>();
      const startOne = async (name: string): Promise<void> => {
        const service = own.get(name);
        if (service === undefined) throw new Error(`compose.yaml has no service "${name}" of our image`);
        await Promise.all(Object.keys(service.depends_on ?? {}).map((needed) => started.get(needed)));
        const container = run(name, service.command, environmentOf(name, service));
        containers.set(name, container);
        const { healthcheck } = service;
        if ("test" in healthcheck) return await container.healthy(healthcheck.test.slice(1), healthyTimeoutMs);
        if ((await container.ended) !== 0) throw new Error(`"${name}" did not do its job:\n${container.output()}`);
      };
      for (const name of order) started.set(name, startOne(name));
      await Promise.all(started.values());
    },
    url: (name, port) => `http://${addresses.get(name)}:${port}`,
    async geography() {
      const sql = createPostgres({ url: database.url, max: 1 });
      const rows = await sql`SELECT form FROM state.geography_form`;
      await sql.end();
      return rows[0]?.["form"];
    },
    async takeSharedBuckets() {
      const client = new RedisClient(`redis://127.0.0.1:${redis.port}`);
      const keys = await client.keys("ridegrid:rate:*");
      if (keys.length > 0) await client.del(...keys);
      client.close();
      return keys;
    },
    async stop() {
      for (const name of order.toReversed()) containers.get(name)?.signal("SIGTERM");
      return Object.fromEntries(await Promise.all(order.map(async (name) => [name, (await containers.get(name)?.ended) ?? null] as const)));
    },
    async end() {
      await broker.stop();
      await redis.stop();
      await database.drop();
    },
  };
}

async function emptyDatabase(): Promise<{ readonly url: string; drop(): Promise<void> }> {
  if (postgisServerMissing() !== null) return await createTestDatabase();
  const server = await startPostgisServer();
  return { url: server.url, drop: () => server.stop() };
}

/** The whole of 127/8 is the loopback; a network by dice, so that two runs do not meet. */
function loopbackAddresses(names: readonly string[]): ReadonlyMap<string, string> {
  const [second = 0, third = 0] = crypto.getRandomValues(new Uint8Array(2));
  return new Map(names.map((name, index) => [name, `127.${1 + (second % 254)}.${third}.${10 + index}`]));
}

function leadTo(value: string, addresses: ReadonlyMap<string, string>, servers: Readonly<Record<string, string>>): string {
  const led = [...addresses].reduce((text, [name, address]) => text.replace(`//${name}:`, `//${address}:`), value);
  return Object.entries(servers).reduce((text, [name, address]) => text.replace(name, address), led);
}
