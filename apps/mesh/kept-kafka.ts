/**
 * The mesh's Kafka broker (`dev --kafka`): a real one, from Maven's jars, started again on the same port when it dies.
 *
 * Both regions' topics live in it, told apart by their region's prefix.
 */
import { join } from "node:path";
import { endLeftKafkaBroker, type KafkaBroker, kafkaBrokerMissing, type Logger, startKafkaBroker } from "@ridegrid/runtime";
import { Complaint } from "./complaint.ts";
import type { PortPlan } from "./free-port.ts";
import { kafkaControllerPortPreferred, kafkaPortPreferred, watchIntervalMs } from "./limits.ts";

export interface KeptKafka {
  /** "host:port". */
  readonly address: string;
  pid(): number;
  /** Safe to call twice. */
  stop(): Promise<void>;
}

export type KeptKafkaOptions = {
  readonly directory: string;
  readonly ports: PortPlan;
  readonly portOffset: number;
  readonly logger: Logger;
  readonly onRestart: () => void;
};

export async function keepKafka({ directory, ports, portOffset, logger, onRestart }: KeptKafkaOptions): Promise<KeptKafka> {
  const missing = kafkaBrokerMissing();
  if (missing !== null) throw new Complaint(`Cannot run a Kafka broker: ${missing}`);
  const dataDirectory = join(directory, "kafka");
  // A mesh that was killed leaves its broker behind.
  await endLeftKafkaBroker(dataDirectory);
  const port = await ports.take("the Kafka broker", kafkaPortPreferred + portOffset);
  const controllerPort = await ports.take("the Kafka controller", kafkaControllerPortPreferred + portOffset);
  const start = (): Promise<KafkaBroker> => startKafkaBroker({ dataDirectory, port, controllerPort });
  let broker = await start();
  let restarting: Promise<void> | undefined;
  let stopped = false;

  async function restart(): Promise<void> {
    logger.error(`The Kafka broker (pid ${broker.pid}) is gone; starting it again`);
    try {
      broker = await start();
      onRestart();
    } catch (error) {
      logger.error({ error }, "cannot start the Kafka broker again; trying once more");
    } finally {
      restarting = undefined;
    }
  }

  const timer = setInterval(() => {
    if (!stopped && !broker.alive()) restarting ??= restart();
  }, watchIntervalMs);

  return {
    address: broker.address,
    pid: () => broker.pid,
    async stop() {
      stopped = true;
      clearInterval(timer);
      await restarting;
      await broker.stop();
    },
  };
}
