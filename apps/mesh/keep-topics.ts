/**
 * Makes a region's topics, now or as soon as its log answers: a log that is away at start delays its own region only.
 */
import { partitionsPerTopic, physicalTopic, topicCatalogue } from "@ridegrid/contracts";
import { type EventLog, PartitionCountMismatch } from "@ridegrid/eventlog";
import type { Logger } from "@ridegrid/runtime";
import { topicsRetryMs } from "./limits.ts";

export type TopicKeeper = {
  /** @throws only where the topics can never be made: another partition count is the contract's end. */
  start(): Promise<void>;
  /** Closes the log, too. */
  stop(): Promise<void>;
};

export function keepTopics({ region, log, logger }: { readonly region: string; readonly log: EventLog; readonly logger: Logger }): TopicKeeper {
  const topics = topicCatalogue.map(({ name, retentionMs }) => ({ topic: physicalTopic(region, name), partitions: partitionsPerTopic, retentionMs }));
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;

  async function ensure(): Promise<void> {
    try {
      await log.ensureTopics(topics);
    } catch (error) {
      if (error instanceof PartitionCountMismatch) throw error;
      logger.warn({ error: String(error) }, `the event log of "${region}" does not answer yet; trying again`);
      if (!stopped)
        timer = setTimeout(
          () => void ensure().catch((fault: unknown) => logger.error({ error: fault }, `the topics of "${region}" are unusable`)),
          topicsRetryMs,
        );
    }
  }

  return {
    start: ensure,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await log.close();
    },
  };
}
