/**
 * The topic catalogue: every topic of a region, its record key, retention and partition count.
 *
 * A topic's physical name is `<home region>.<name>`. The partition of a record is its market's partition number.
 */
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

export type TopicName = "ride-events.v1" | "driver-events.v1" | "driver-telemetry.v1" | "match-proposals.v1" | "market-state.v1" | "dead-letters.v1";

export type TopicSpec = {
  readonly name: TopicName;
  readonly recordKey: "ride_id" | "driver_id" | "market_id" | "original";
  /** What the embedded log keeps, and what topics are made with on brokers; an operator may change it there. */
  readonly retentionMs: number;
};

/** Part of the contract: changing it moves every market to another partition. Checked at start. */
export const partitionsPerTopic = 8;

export const topicCatalogue: readonly TopicSpec[] = [
  { name: "ride-events.v1", recordKey: "ride_id", retentionMs: 7 * dayMs },
  { name: "driver-events.v1", recordKey: "driver_id", retentionMs: 7 * dayMs },
  { name: "driver-telemetry.v1", recordKey: "market_id", retentionMs: hourMs },
  { name: "match-proposals.v1", recordKey: "ride_id", retentionMs: dayMs },
  { name: "market-state.v1", recordKey: "market_id", retentionMs: hourMs },
  { name: "dead-letters.v1", recordKey: "original", retentionMs: 30 * dayMs },
];

/** The name a broker knows: `ewr.ride-events.v1`. */
export function physicalTopic(region: string, topic: TopicName): string {
  return `${region}.${topic}`;
}
