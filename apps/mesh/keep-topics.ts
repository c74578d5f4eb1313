/**
 * Makes a region's topics, now or as soon as its log answers: a log that is away at start delays its own region only.
 *
 * What never passes by itself is one line and the end of the start: a topic with another partition count, a log that does
 * not let this process in.
 */
import { partitionsPerTopic, physicalTopic, topicCatalogue } from "@ridegrid/contracts";
import { type EventLog, LogRefused, PartitionCountMismatch } from "@ridegrid/eventlog";
import type { Logger } from "@ridegrid/runtime";
import { Complaint } from "./complaint.ts";
import { topicsRetryMs } from "./limits.ts";

export type TopicKeeper = {
  /**
   * Null when the topics are there, and where nobody waits for them; else why they are not yet, and they are asked for
   * again until they are. @throws a Complaint where they can never be.
   */
  start(): Promise<string | null>;
  /** Closes the log, too. */
  stop(): Promise<void>;
};

export type TopicKeeperOptions = {
  readonly region: string;
  readonly log: EventLog;
  /** Where the log is on brokers: which, and how long a start waits for them. */
  readonly brokers: { readonly addresses: readonly string[]; readonly waitMs: number } | undefined;
  readonly logger: Logger;
};

export function keepTopics({ region, log, brokers, logger }: TopicKeeperOptions): TopicKeeper {
  const topics = topicCatalogue.map(({ name, retentionMs }) => ({ topic: physicalTopic(region, name), partitions: partitionsPerTopic, retentionMs }));
  const where = `the event log of "${region}"${brokers === undefined ? "" : ` at ${brokers.addresses.join(", ")}`}`;
  const stopping = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;

  /** Null when they are there; else what the log, or the lack of one, said. */
  async function ensure(): Promise<string | null> {
    try {
      await log.ensureTopics(topics);
      return null;
    } catch (error) {
      if (error instanceof PartitionCountMismatch) throw new Complaint(`Cannot start: ${where} cannot be used: ${error.message}`, { cause: error });
      if (error instanceof LogRefused) throw new Complaint(`Cannot start: ${where} does not let us in: ${error.message}`, { cause: error });
      return error instanceof Error ? error.message : String(error);
    }
  }

  async function ensureLater(): Promise<void> {
    const failure = await ensure();
    if (failure !== null && !stopping.signal.aborted) again();
  }

  function again(): void {
    timer = setTimeout(() => void ensureLater().catch((error: unknown) => logger.error({ error }, `the topics of "${region}" are unusable`)), topicsRetryMs);
  }

  return {
    async start() {
      const deadline = performance.now() + (brokers?.waitMs ?? 0);
      let failure = await ensure();
      while (failure !== null && performance.now() < deadline && !stopping.signal.aborted) failure = await ensure();
      if (failure === null) return null;
      if (!stopping.signal.aborted) again();
      const told = `${where} did not answer${brokers === undefined ? "" : ` for ${brokers.waitMs / 1_000} s`}; the last try said: ${failure}`;
      if (brokers !== undefined) return told;
      logger.warn(`${told}; trying again`);
      return null;
    },
    async stop() {
      stopping.abort();
      clearTimeout(timer);
      await log.close();
    },
  };
}

/** One log that is away delays its own region; where none answers there is nothing to do. @throws a Complaint then. */
export async function startTopics(keepers: readonly TopicKeeper[], logger: Logger): Promise<void> {
  const failures = (await Promise.all(keepers.map((keeper) => keeper.start()))).filter((failure) => failure !== null);
  if (failures.length > 0 && failures.length === keepers.length) throw new Complaint(`Cannot start: ${failures[0]}`);
  for (const failure of failures) logger.warn(`${failure}; trying again`);
}
