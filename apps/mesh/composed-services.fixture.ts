/**
 * The services of compose.yaml that run our image, as processes: each on a loopback address of its own, where its name
 * leads in the others' variables. Postgres, the broker and Redis are real ones of the test's own.
 */
import { RedisClient } from "bun";
import { createTestDatabase, redisServerMissing, startRedisServer, startTestBroker, testBrokerMissing } from "@ridegrid/testing";
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
  /** How often a bucket that gateways share was asked, and answered. */
  sharedBucketCalls(): Promise<number>;
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
  const [database, broker, redis] = [await createTestDatabase(), await startTestBroker(), await startRedisServer()];
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
    async sharedBucketCalls() {
      const client = new RedisClient(`redis://127.0.0.1:${redis.port}`);
      const statistics = String(await client.send("INFO", ["commandstats"]));
      client.close();
      const scripts = [...statistics.matchAll(/^cmdstat_eval(?:sha)?:calls=(\d+).*failed_calls=(\d+)/gm)];
      return scripts.reduce((sum, [, calls, failed]) => sum + Number(calls) - Number(failed), 0);
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

/** The whole of 127/8 is the loopback; a network by dice, so that two runs do not meet. */
function loopbackAddresses(names: readonly string[]): ReadonlyMap<string, string> {
  const [second = 0, third = 0] = crypto.getRandomValues(new Uint8Array(2));
  return new Map(names.map((name, index) => [name, `127.${1 + (second % 254)}.${third}.${10 + index}`]));
}

function leadTo(value: string, addresses: ReadonlyMap<string, string>, servers: Readonly<Record<string, string>>): string {
  const led = [...addresses].reduce((text, [name, address]) => text.replace(`//${name}:`, `//${address}:`), value);
  return Object.entries(servers).reduce((text, [name, address]) => text.replace(name, address), led);
}
