/** Positions as a reader of the topic finds them: up to which sequence each driver's are durable, and how soon they were. */
import { fromBinary } from "@bufbuild/protobuf";
import { PositionBatchSchema } from "@ridegrid/contracts/gen/event/v1/events_pb";
import type { EventLog } from "@ridegrid/eventlog";

export interface DurablePositions extends AsyncDisposable {
  /**
   * Resolves when all that is in the topic now was read: of each position since the last call, the milliseconds from when
   * its driver observed it, which is when he sent it, to when it was read. One that a newer one took the place of counts as
   * sent with the one before it, or at the last call, when all that was sent had been acknowledged.
   */
  sinceLast(): Promise<readonly number[]>;
  /** The highest sequence of each driver. */
  sequences(drivers: number): Promise<readonly number[]>;
}

export type TopicPartition = { readonly eventLog: EventLog; readonly topic: string; readonly partition: number };

type Newest = { readonly sequence: number; readonly observedAtMs: number };

const limits = { maxRecords: 1_000, maxBytes: 16_000_000, maxWaitMs: 1_000 };

export function readDurablePositions({ eventLog, topic, partition }: TopicPartition): DurablePositions {
  const newest = new Map<number, Newest>();
  const left = new AbortController();
  let waitedMs: number[] = [];
  let askedAtMs = 0;
  let offset = 0;

  function take(value: Uint8Array): void {
    const { driverIds, sequences, observeTimesMs } = fromBinary(PositionBatchSchema, value);
    const nowMs = Date.now();
    driverIds.forEach((id, row) => {
      const driver = Number(id.slice("driver-".length));
      const now: Newest = { sequence: Number(sequences[row]), observedAtMs: Number(observeTimesMs[row]) };
      const before = newest.get(driver) ?? { sequence: now.sequence - 1, observedAtMs: now.observedAtMs };
      for (let replaced = before.sequence + 1; replaced < now.sequence; replaced++) waitedMs.push(nowMs - Math.max(before.observedAtMs, askedAtMs));
      waitedMs.push(nowMs - now.observedAtMs);
      newest.set(driver, now);
    });
  }

  async function readOn(): Promise<void> {
    while (!left.signal.aborted) {
      const records = await eventLog.read(topic, partition, offset, limits, left.signal);
      for (const record of records) {
        take(record.value);
        offset = record.offset + 1;
      }
    }
  }

  const reading = readOn();
  // Whoever waits for it is told, or nobody needs to know: it was left.
  reading.catch(() => {});

  async function caughtUp(): Promise<void> {
    const { end } = await eventLog.bounds(topic, partition);
    while (offset < end) await Promise.race([reading, Bun.sleep(10)]);
  }

  return {
    async sinceLast() {
      await caughtUp();
      const found = waitedMs;
      waitedMs = [];
      askedAtMs = Date.now();
      return found;
    },
    async sequences(drivers) {
      await caughtUp();
      return Array.from({ length: drivers }, (_, driver) => newest.get(driver)?.sequence ?? 0);
    },
    async [Symbol.asyncDispose]() {
      left.abort();
      await reading.catch(() => {});
    },
  };
}
