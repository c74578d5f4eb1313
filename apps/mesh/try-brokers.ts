/** Brokers of others, as the environment names them, tried before anything is started: what is wrong with them is one line. */
import { createSystemClock, type Environment, type Logger } from "@ridegrid/runtime";
import { keepTopics, startTopics } from "./keep-topics.ts";
import { brokerWaitMs } from "./limits.ts";
import { type KafkaConfig, readKafka } from "./read-environment.ts";

/** By region; one whose log is in Postgres is not there. */
export function brokersIn(environment: Environment, regions: readonly string[]): ReadonlyMap<string, KafkaConfig> {
  return new Map(
    regions.flatMap((region) => {
      const config = readKafka(environment, region);
      return config === undefined ? [] : [[region, config] as const];
    }),
  );
}

/** Makes the topics that are missing. @throws a Complaint where brokers refuse, or none answers. */
export async function tryBrokers(configs: ReadonlyMap<string, KafkaConfig>, logger: Logger): Promise<void> {
  if (configs.size === 0) return;
  // Loaded where it is needed: it takes half a second.
  const { createKafkaEventLog } = await import("@ridegrid/eventlog/kafka");
  const keepers = [...configs].map(([region, config]) => {
    const log = createKafkaEventLog({ ...config, clientId: `ridegrid mesh ${process.pid}`, compression: "lz4", clock: createSystemClock() });
    return keepTopics({ region, log, logger, brokers: { addresses: config.brokers, waitMs: brokerWaitMs } });
  });
  try {
    await startTopics(keepers, logger);
  } finally {
    await Promise.all(keepers.map((keeper) => keeper.stop()));
  }
}
