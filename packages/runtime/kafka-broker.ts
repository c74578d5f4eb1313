/**
 * A real Kafka-API broker for one machine: Apache Kafka in KRaft mode, one node, or one more of another's cluster.
 *
 * The broker is a child in a process group of its own, ready when it answers on its port, and stopped cleanly. It needs
 * `java` and `mvn`.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { kafkaJars, runToEnd } from "./kafka-jars.ts";
import { type BrokerNode, brokerProperties, scramArguments } from "./kafka-properties.ts";
import { kafkaBrokerPollMs, kafkaBrokerStartTimeoutMs, kafkaBrokerStopTimeoutMs } from "./limits.ts";
import { endWithOwner } from "./owner-watch.ts";
import { commandOf } from "./process-command.ts";

export type KafkaBroker = {
  /** "127.0.0.1:29092": what `KAFKA_BROKERS` takes. */
  readonly address: string;
  readonly pid: number;
  alive(): boolean;
  /** Resolves when the broker has ended; it is killed when that takes too long. */
  stop(): Promise<void>;
};

export type KafkaBrokerOptions = BrokerNode & { readonly heapMegabytes?: number };

/** What is missing on this machine to run a broker; null when nothing is. */
export function kafkaBrokerMissing(): string | null {
  const missing = ["java", "mvn"].filter((command) => Bun.which(command) === null);
  return missing.length === 0 ? null : `${missing.join(" and ")} not found on PATH`;
}

/** Starts a broker on `dataDirectory`, formatting it the first time; it ends with this process. @throws with the broker's last lines when it does not come up. */
export async function startKafkaBroker(options: KafkaBrokerOptions): Promise<KafkaBroker> {
  const jars = await kafkaJars();
  mkdirSync(options.dataDirectory, { recursive: true });
  const properties = propertiesFile(options.dataDirectory);
  writeFileSync(properties, brokerProperties(options));
  const classPath = join(jars, "*");
  if (!existsSync(metaFile(options.dataDirectory)))
    await runToEnd(
      "java",
      ["-cp", classPath, "kafka.tools.StorageTool", "format", `--cluster-id=${clusterId(options)}`, "-c", properties, ...scramArguments(options)],
      kafkaBrokerStartTimeoutMs,
    );
  const logPath = join(options.dataDirectory, "broker.log");
  const log = openSync(logPath, "a");
  const child = spawn("java", [`-Xmx${options.heapMegabytes ?? 512}m`, "-cp", classPath, "kafka.Kafka", properties], {
    detached: true,
    stdio: ["ignore", log, log],
  });
  child.unref();
  if (child.pid === undefined) throw new Error("The Kafka broker has no process id");
  const watch = endWithOwner(child.pid);
  child.once("exit", () => watch.cancel());
  writeFileSync(pidFile(options.dataDirectory), String(child.pid));
  await untilListening(child, options.port, logPath);
  return {
    address: `127.0.0.1:${options.advertisedPort ?? options.port}`,
    pid: child.pid,
    alive: () => child.exitCode === null && child.signalCode === null,
    stop: () => stop(child),
  };
}

/** Ends the broker of an owner who was killed a moment ago, if it has not ended yet: it holds the directory and its ports. */
export async function endLeftKafkaBroker(dataDirectory: string): Promise<void> {
  const file = pidFile(dataDirectory);
  if (!existsSync(file)) return;
  const pid = Number(readFileSync(file, "utf8"));
  const runs = (): boolean => commandOf(pid).includes(propertiesFile(dataDirectory));
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    if (!runs()) return;
    process.kill(pid, signal);
    const deadline = performance.now() + kafkaBrokerStopTimeoutMs;
    while (runs() && performance.now() < deadline) await delay(kafkaBrokerPollMs);
  }
}

const propertiesFile = (dataDirectory: string): string => join(resolve(dataDirectory), "server.properties");
const pidFile = (dataDirectory: string): string => join(dataDirectory, "broker.pid");
const metaFile = (dataDirectory: string): string => join(dataDirectory, "log", "meta.properties");

/** 16 random bytes in base64url, which only have to stay the same for a directory; the other node's when one is joined. */
function clusterId({ joins }: BrokerNode): string {
  if (joins === undefined) return Buffer.from(randomUUID().replaceAll("-", ""), "hex").toString("base64url");
  const id = /^cluster\.id=(.+)$/m.exec(readFileSync(metaFile(joins.directory), "utf8"))?.[1];
  if (id === undefined) throw new Error(`Cannot join the broker in "${joins.directory}": it names no cluster`);
  return id;
}

async function untilListening(child: ChildProcess, port: number, logPath: string): Promise<void> {
  const deadline = performance.now() + kafkaBrokerStartTimeoutMs;
  while (!(await answers(port))) {
    const ended = child.exitCode !== null || child.signalCode !== null;
    if (ended || performance.now() > deadline) {
      await stop(child);
      throw new Error(
        `The Kafka broker ${ended ? "ended" : `did not listen on port ${port} within ${kafkaBrokerStartTimeoutMs} ms`}: ${readFileSync(logPath, "utf8").slice(-1_500)}`,
      );
    }
    await delay(kafkaBrokerPollMs);
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((tell) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("connect", () => tell(socket.destroy() !== undefined));
    socket.once("error", () => tell(false));
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((end) => child.once("exit", () => end()));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), kafkaBrokerStopTimeoutMs);
  // A paused broker does not hear SIGTERM.
  child.kill("SIGCONT");
  await ended;
  clearTimeout(timer);
}
