/**
 * A real Kafka-API broker for one test file, in a directory of its own, behind proxies that can lose answers or be shut.
 *
 * It can be killed, paused and started again on what it has stored, and joined by a second node.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrokerListener, type KafkaBroker, kafkaBrokerMissing, startKafkaBroker } from "@ridegrid/runtime";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";
import { type KafkaProxy, startKafkaProxy } from "./kafka-proxy.ts";

export type TestBroker = {
  /** "host:port" for clients; it is the proxy's. */
  readonly address: string;
  readonly proxy: KafkaProxy;
  /** A further way in by its name, behind a proxy of its own. */
  door(name: string): { readonly address: string; readonly proxy: KafkaProxy };
  signal(name: "SIGKILL" | "SIGCONT"): void;
  /** Resolves when it stands still; SIGCONT ends it. */
  pause(): Promise<void>;
  /** A new process on the same data; the one before must be gone or going. */
  restart(): Promise<void>;
  /** A second node of the cluster; it ends with this broker. */
  joined(): Promise<KafkaBroker>;
  stop(): Promise<void>;
};

export type TestBrokerOptions = {
  /** Further ways in. */
  readonly doors?: readonly Pick<BrokerListener, "name" | "user" | "keystore">[];
};

/** Why no broker can be started here; null when one can. */
export const testBrokerMissing = kafkaBrokerMissing;

const heapMegabytes = 384;

export async function startTestBroker({ doors = [] }: TestBrokerOptions = {}): Promise<TestBroker> {
  const directory = mkdtempSync(join(tmpdir(), "ridegrid-kafka-"));
  const dataDirectory = join(directory, "1");
  const [port, controllerPort, main] = [await freePort(), await freePort(), await openDoor()];
  const opened = new Map<string, Door>();
  for (const { name } of doors) opened.set(name, await openDoor());
  const listeners = doors.map((door) => ({ ...door, ...listening(opened.get(door.name) ?? main) }));
  const start = (): Promise<KafkaBroker> =>
    startKafkaBroker({ dataDirectory, port: main.port, controllerPort, advertisedPort: main.proxy.port, listeners, heapMegabytes });
  let broker = await start();
  const others: KafkaBroker[] = [];
  return {
    address: broker.address,
    proxy: main.proxy,
    door(name) {
      const door = opened.get(name);
      if (door === undefined) throw new Error(`The test broker has no door "${name}"`);
      return { address: `127.0.0.1:${door.proxy.port}`, proxy: door.proxy };
    },
    signal: (name) => void process.kill(broker.pid, name),
    async pause() {
      process.kill(broker.pid, "SIGSTOP");
      await eventually(() => standsStill(broker.pid), { what: `every thread of the broker (pid ${broker.pid}) to stop` });
    },
    async restart() {
      await broker.stop();
      broker = await start();
    },
    async joined() {
      const node = 2 + others.length;
      const own = { dataDirectory: join(directory, String(node)), port, controllerPort, joins: { directory: dataDirectory, asNode: node } };
      const other = await startKafkaBroker({ ...own, heapMegabytes });
      others.push(other);
      return other;
    },
    async stop() {
      await Promise.all([main, ...opened.values()].map(({ proxy }) => proxy.close()));
      await Promise.all(others.map((other) => other.stop()));
      await broker.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** `port` is the broker's own. */
type Door = { readonly port: number; readonly proxy: KafkaProxy };

async function openDoor(): Promise<Door> {
  const port = await freePort();
  return { port, proxy: await startKafkaProxy({ port: await freePort(), brokerPort: port }) };
}

function listening({ port, proxy }: Door): Pick<BrokerListener, "port" | "advertisedPort"> {
  return { port, advertisedPort: proxy.port };
}

/** SIGSTOP is on its way for a while: a thread may run on and answer. */
function standsStill(pid: number): boolean {
  const threads = `/proc/${pid}/task`;
  if (!existsSync(threads)) return String(spawnSync("ps", ["-p", String(pid), "-o", "state="]).stdout).startsWith("T");
  return readdirSync(threads).every((thread) => /^State:\s+T/m.test(readFileSync(join(threads, thread, "status"), "utf8")));
}
