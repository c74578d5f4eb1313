/**
 * A real Kafka-API broker for one machine: Apache Kafka's own jars from Maven Central, in KRaft mode, one node.
 *
 * The jars are fetched once into a cache and checked against a manifest of their hashes; the broker is a child in a
 * process group of its own, ready when it answers on its port, and stopped cleanly. It needs `java` and `mvn`.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

export type KafkaBroker = {
  /** "127.0.0.1:29092": what `KAFKA_BROKERS` takes. */
  readonly address: string;
  readonly pid: number;
  alive(): boolean;
  /** Resolves when the broker has ended; SIGKILL after `stopMs`. */
  stop(): Promise<void>;
};

export type KafkaBrokerOptions = {
  readonly dataDirectory: string;
  readonly port: number;
  readonly controllerPort: number;
  /** The port that clients are told to use, where it is not `port`: a proxy's. */
  readonly advertisedPort?: number;
  readonly heapMegabytes?: number;
};

const kafkaVersion = "4.1.0";
const limits = { readyMs: 60_000, stopMs: 15_000, fetchMs: 300_000 } as const;

/** What is missing on this machine to run a broker; null when nothing is. */
export function kafkaBrokerMissing(): string | null {
  const missing = ["java", "mvn"].filter((command) => Bun.which(command) === null);
  return missing.length === 0 ? null : `${missing.join(" and ")} not found on PATH`;
}

/** Starts a broker on `dataDirectory`, formatting it the first time. @throws with the broker's last lines when it does not come up. */
export async function startKafkaBroker(options: KafkaBrokerOptions): Promise<KafkaBroker> {
  const jars = await kafkaJars();
  mkdirSync(options.dataDirectory, { recursive: true });
  const properties = join(options.dataDirectory, "server.properties");
  writeFileSync(properties, serverProperties(options));
  const classPath = join(jars, "*");
  if (!existsSync(join(options.dataDirectory, "log", "meta.properties"))) {
    // A cluster id is 16 random bytes in base64url; it only has to stay the same for this directory.
    const clusterId = Buffer.from(randomUUID().replaceAll("-", ""), "hex").toString("base64url");
    await run("java", ["-cp", classPath, "kafka.tools.StorageTool", "format", "-t", clusterId, "-c", properties], limits.readyMs);
  }
  const logPath = join(options.dataDirectory, "broker.log");
  const log = openSync(logPath, "a");
  const child = spawn("java", [`-Xmx${options.heapMegabytes ?? 512}m`, "-cp", classPath, "kafka.Kafka", properties], {
    detached: true,
    stdio: ["ignore", log, log],
  });
  child.unref();
  await untilListening(child, options.port, logPath);
  if (child.pid === undefined) throw new Error("The Kafka broker has no process id");
  return {
    address: `127.0.0.1:${options.advertisedPort ?? options.port}`,
    pid: child.pid,
    alive: () => child.exitCode === null && child.signalCode === null,
    stop: () => stop(child),
  };
}

/** The directory of the jars, fetched by Maven when the cache has none or its manifest does not match. */
async function kafkaJars(): Promise<string> {
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  const directory = join(cache, "ridegrid", `kafka-${kafkaVersion}`);
  if (intact(directory)) return directory;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(join(cache, "ridegrid"), { recursive: true });
  const work = mkdtempSync(join(cache, "ridegrid", "fetch-"));
  try {
    writeFileSync(join(work, "pom.xml"), pom);
    const target = join(work, "jars");
    await run(
      "mvn",
      ["-q", "-B", "-f", join(work, "pom.xml"), "dependency:copy-dependencies", `-DoutputDirectory=${target}`, "-DincludeScope=runtime"],
      limits.fetchMs,
    );
    writeFileSync(join(target, "manifest.json"), JSON.stringify(manifestOf(target)));
    try {
      renameSync(target, directory);
    } catch (cause) {
      // Another process was first; its jars are as good.
      if (!intact(directory)) throw new Error(`Cannot put the Kafka jars into ${directory}`, { cause });
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return directory;
}

type Manifest = Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>;

function manifestOf(directory: string): Manifest {
  const entries = [...new Bun.Glob("*.jar").scanSync(directory)].sort().map((name) => {
    const bytes = readFileSync(join(directory, name));
    return [name, { bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") }] as const;
  });
  if (entries.length === 0) throw new Error(`Maven put no jars into ${directory}`);
  return Object.fromEntries(entries);
}

function intact(directory: string): boolean {
  const path = join(directory, "manifest.json");
  if (!existsSync(path)) return false;
  const manifest: Manifest = JSON.parse(readFileSync(path, "utf8"));
  return Object.entries(manifest).every(([name, { bytes, sha256 }]) => {
    const jar = join(directory, name);
    return existsSync(jar) && statSync(jar).size === bytes && createHash("sha256").update(readFileSync(jar)).digest("hex") === sha256;
  });
}

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>dev.ridegrid</groupId><artifactId>kafka-broker</artifactId><version>1</version><packaging>pom</packaging>
<dependencies><dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${kafkaVersion}</version></dependency></dependencies></project>
`;

/** One node, one replica; sessions short enough that a killed broker takes its partitions back within seconds of its restart. */
function serverProperties({ dataDirectory, port, controllerPort, advertisedPort }: KafkaBrokerOptions): string {
  return `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controllerPort}
listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}
advertised.listeners=PLAINTEXT://127.0.0.1:${advertisedPort ?? port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs=${join(dataDirectory, "log")}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
num.partitions=1
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
log.segment.bytes=67108864
num.recovery.threads.per.data.dir=2
`;
}

async function untilListening(child: ChildProcess, port: number, logPath: string): Promise<void> {
  const deadline = performance.now() + limits.readyMs;
  while (!(await answers(port))) {
    const ended = child.exitCode !== null || child.signalCode !== null;
    if (ended || performance.now() > deadline) {
      await stop(child);
      throw new Error(
        `The Kafka broker ${ended ? "ended" : `did not listen on port ${port} within ${limits.readyMs} ms`}: ${readFileSync(logPath, "utf8").slice(-1_500)}`,
      );
    }
    await delay(50);
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("connect", () => resolve(socket.destroy() !== undefined));
    socket.once("error", () => resolve(false));
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), limits.stopMs);
  // A paused broker does not hear SIGTERM.
  child.kill("SIGCONT");
  await ended;
  clearTimeout(timer);
}

async function run(command: string, args: readonly string[], timeoutMs: number): Promise<void> {
  const child = spawn(command, args, { cwd: tmpdir(), stdio: ["ignore", "pipe", "pipe"] });
  const output: string[] = [];
  child.stdout.on("data", (data: Buffer) => output.push(data.toString()));
  child.stderr.on("data", (data: Buffer) => output.push(data.toString()));
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  clearTimeout(timer);
  if (code !== 0) throw new Error(`"${command} ${args.join(" ")}" failed with ${code}: ${output.join("").slice(-1_500)}`);
}
