/** Kafka logs and topics for tests of the adapter, and appends and reads as their users do them. */
import { createTestContext, eventually } from "@ridegrid/testing";
import { createKafkaEventLog, type KafkaEventLogOptions } from "./event-log.kafka.ts";
import type { EventLog, StoredRecord } from "./event-log.ts";

export const never = new AbortController().signal;
export const readLimits = { maxRecords: 1_000, maxBytes: 4_000_000, maxWaitMs: 2_000 };
const storedTimeoutMs = 30_000;

let clients = 0;
export function openKafka(brokers: readonly string[], options: Partial<KafkaEventLogOptions> = {}): EventLog {
  return createKafkaEventLog({ brokers, clientId: `test-${clients++}`, replicas: 1, compression: "none", clock: createTestContext().clock, ...options });
}

/** Four partitions. */
export async function newKafkaTopic(brokers: readonly string[], options: Partial<KafkaEventLogOptions> = {}) {
  const log = openKafka(brokers, options);
  const topic = `kafka.${Bun.randomUUIDv7()}`;
  await log.ensureTopics([{ topic, partitions: 4, retentionMs: 3_600_000 }]);
  return { log, topic };
}

export function numbered(number: number) {
  return [{ key: String(number), value: new Uint8Array(10), headers: { number: String(number) } }];
}

/** As a relay does; answers how often it failed. */
export async function appendUntilStored(log: EventLog, topic: string, partition: number, records: ReturnType<typeof numbered>): Promise<number> {
  let failures = 0;
  const append = async (): Promise<boolean> => {
    try {
      await log.append(topic, partition, records);
      return true;
    } catch {
      failures++;
      return false;
    }
  };
  await eventually(append, { timeoutMs: storedTimeoutMs, pollMs: 100, what: `an append to ${topic}/${partition}` });
  return failures;
}

export async function readAll(log: EventLog, topic: string, partition: number): Promise<readonly StoredRecord[]> {
  const all: StoredRecord[] = [];
  for (let offset = 0; ;) {
    const records = await log.read(topic, partition, offset, readLimits, never);
    if (records.length === 0) return all;
    all.push(...records);
    offset = (records.at(-1)?.offset ?? offset) + 1;
  }
}
