/**
 * Where a mesh has its event logs: on a broker of its own (`--kafka`), on those that `KAFKA_BROKERS` names, or in Postgres.
 *
 * Brokers of others are tried before anything is started: what is wrong with them is one line.
 */
import type { Environment, Logger } from "@ridegrid/runtime";
import { Complaint } from "./complaint.ts";
import type { PortPlan } from "./free-port.ts";
import { keepKafka } from "./kept-kafka.ts";
import type { KafkaConfig } from "./read-environment.ts";
import { brokersIn, tryBrokers } from "./try-brokers.ts";

export interface MeshBrokers {
  /** Undefined where the region's log is in Postgres. */
  of(region: string): KafkaConfig | undefined;
  /** For people and `mesh.json`; undefined when every log is in Postgres. */
  readonly addresses: string | undefined;
  /** Of the mesh's own broker. */
  pid(): number | undefined;
  /** What the mesh's children need to know beside the environment it has itself. */
  readonly environment: Environment;
  stop(): Promise<void>;
}

export type MeshBrokersOptions = {
  readonly ownBroker: boolean;
  readonly regions: readonly string[];
  readonly directory: string;
  readonly ports: PortPlan;
  readonly portOffset: number;
  readonly environment: Environment;
  readonly logger: Logger;
  /** The mesh's own broker got a new pid. */
  readonly onRestart: () => void;
};

export async function openBrokers(options: MeshBrokersOptions): Promise<MeshBrokers> {
  const { regions, environment } = options;
  const configs = brokersIn(environment, regions);
  if (options.ownBroker) {
    if (configs.size > 0) throw new Complaint("Cannot start: --kafka starts a broker and KAFKA_BROKERS names others; leave one of them out");
    return await openOwn(options);
  }
  await tryBrokers(configs, options.logger);
  const addresses = [...new Set([...configs.values()].flatMap(({ brokers }) => brokers))];
  return {
    of: (region) => configs.get(region),
    addresses: addresses.length === 0 ? undefined : addresses.join(","),
    pid: () => undefined,
    environment: {},
    stop: async () => {},
  };
}

async function openOwn(options: MeshBrokersOptions): Promise<MeshBrokers> {
  const kept = await keepKafka(options);
  return {
    of: () => ({ brokers: [kept.address], replicas: 1 }),
    addresses: kept.address,
    pid: () => kept.pid(),
    environment: { KAFKA_BROKERS: kept.address, KAFKA_REPLICAS: "1" },
    stop: () => kept.stop(),
  };
}
