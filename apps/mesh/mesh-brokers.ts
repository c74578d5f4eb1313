/**
 * Where a mesh has its event logs: on a broker of its own (`--kafka`), on those that `KAFKA_BROKERS` names, or in Postgres.
 *
 * Brokers of others are tried before anything is started: what is wrong with them is one line.
 */
import type { Environment, Logger } from "@ridegrid/runtime";
import { Complaint } from "./complaint.ts";
import type { PortPlan } from "./free-port.ts";
import { keepTopics, startTopics } from "./keep-topics.ts";
import { keepKafka } from "./kept-kafka.ts";
import { brokerWaitMs } from "./limits.ts";
import { type KafkaConfig, readKafka } from "./read-environment.ts";

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
  const configs = new Map(regions.flatMap((region) => configOf(environment, region)));
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

function configOf(environment: Environment, region: string): readonly (readonly [string, KafkaConfig])[] {
  const config = readKafka(environment, region);
  return config === undefined ? [] : [[region, config]];
}

async function tryBrokers(configs: ReadonlyMap<string, KafkaConfig>, logger: Logger): Promise<void> {
  if (configs.size === 0) return;
  // Loaded where it is needed: it takes half a second.
  const { createKafkaEventLog } = await import("@ridegrid/eventlog/kafka");
  const keepers = [...configs].map(([region, config]) => {
    const log = createKafkaEventLog({ ...config, clientId: `ridegrid mesh ${process.pid}`, compression: "lz4" });
    return keepTopics({ region, log, logger, brokers: { addresses: config.brokers, waitMs: brokerWaitMs } });
  });
  try {
    await startTopics(keepers, logger);
  } finally {
    await Promise.all(keepers.map((keeper) => keeper.stop()));
  }
}
