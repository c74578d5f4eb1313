/** The log that the relay's bench publishes to, opened alike by every process of a measurement. */
import postgres from "postgres";
import { createEmbeddedEventLog } from "../event-log.embedded.ts";
import { createKafkaEventLog } from "../event-log.kafka.ts";
import type { EventLog } from "../event-log.ts";

export const benchTopic = "ride-events.v1";
export const benchPartitions = 8;

const clock = { nowMs: () => Date.now() };

/** `place` is a broker's "host:port", or the url of an embedded log's database. */
export function openBenchLog(place: string): EventLog {
  return place.startsWith("postgres:")
    ? createEmbeddedEventLog({ sql: postgres(place, { max: 10, onnotice: () => {} }), clock })
    : createKafkaEventLog({ brokers: [place], clientId: `bench-${process.pid}`, replicas: 1, compression: "lz4", clock });
}

/** Finer than a millisecond and the same in every process of this machine. */
export function wallClockMs(): number {
  return performance.timeOrigin + performance.now();
}
