/** A real Kafka-API broker for one test file, in a directory of its own, behind a proxy that can lose answers. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kafkaBrokerMissing, startKafkaBroker } from "@ridegrid/runtime";
import { freePort } from "./free-port.ts";
import { type KafkaProxy, startKafkaProxy } from "./kafka-proxy.ts";

export type TestBroker = {
  /** "host:port" for clients; it is the proxy's. */
  readonly address: string;
  readonly pid: number;
  readonly proxy: KafkaProxy;
  stop(): Promise<void>;
};

/** Why no broker can be started here; null when one can. */
export const testBrokerMissing = kafkaBrokerMissing;

export async function startTestBroker(): Promise<TestBroker> {
  const dataDirectory = mkdtempSync(join(tmpdir(), "ridegrid-kafka-"));
  const [port, controllerPort, proxyPort] = [await freePort(), await freePort(), await freePort()];
  const proxy = await startKafkaProxy({ port: proxyPort, brokerPort: port });
  const broker = await startKafkaBroker({ dataDirectory, port, controllerPort, advertisedPort: proxyPort, heapMegabytes: 384 });
  return {
    address: broker.address,
    pid: broker.pid,
    proxy,
    async stop() {
      await proxy.close();
      await broker.stop();
      rmSync(dataDirectory, { recursive: true, force: true });
    },
  };
}
