/** What records cost as bytes on their way to a Kafka broker and back, beside the client's own encoder and reader. No broker is needed. */
import { createRecordsBatch, NumericMap, Reader, readRecordsBatches } from "@platformatic/kafka";
import { cpuSeconds, type Figure, type Measurement } from "@ridegrid/testing";
import type { LogRecord } from "./event-log.ts";
import { encodeRecordBatch } from "./record-batch.kafka.ts";
import { storedRecords } from "./stored-records.kafka.ts";

const recordsPerBatch = 1_000;
const lengths = { full: { rounds: 9, batches: 40 }, quick: { rounds: 3, batches: 10 } };
const batchOptions = { producerId: 1n, producerEpoch: 0, firstSequence: 0, timestampMs: 1_760_000_000_000, compression: "lz4" } as const;
const everything = { maxRecords: recordsPerBatch, maxBytes: Number.MAX_SAFE_INTEGER, maxWaitMs: 0 };

export const figures: readonly Figure[] = [
  {
    name: "kafka-codec",
    doc: `${recordsPerBatch.toLocaleString("en-US")} ride events of about 290 bytes with four headers as one lz4 batch; CPU µs a record`,
    async run({ quick }) {
      const { rounds, batches } = quick ? lengths.quick : lengths.full;
      const records = rideEvents();
      const batch = encodeRecordBatch(records, batchOptions);
      const perRecord = async (work: () => unknown): Promise<number> => {
        const seconds = await cpuSeconds(async () => {
          for (let turn = 0; turn < batches; turn++) work();
        });
        return (seconds / (batches * recordsPerBatch)) * 1e6;
      };
      const samples = { encoded: new Array<number>(), byTheClient: new Array<number>(), read: new Array<number>(), readByTheClient: new Array<number>() };
      for (let round = 0; round <= rounds; round++) {
        const took = {
          encoded: await perRecord(() => encodeRecordBatch(records, batchOptions)),
          byTheClient: await perRecord(() => encodeByTheClient(records)),
          read: await perRecord(() => storedRecords(batch, 0, everything)),
          readByTheClient: await perRecord(() => readByTheClient(batch)),
        };
        // The first is warming up.
        if (round > 0) for (const part of ["encoded", "byTheClient", "read", "readByTheClient"] as const) samples[part].push(took[part]);
      }
      return [measured("encoded", samples.encoded, samples.byTheClient), measured("read", samples.read, samples.readByTheClient)];
    },
  },
];

function measured(what: string, samples: readonly number[], byTheClient: readonly number[]): Measurement {
  return { what: `a record ${what}`, unit: "CPU µs", samples, peer: { what: "the client's own way", samples: byTheClient } };
}

function encodeByTheClient(records: readonly LogRecord[]): Buffer {
  const messages = records.map(({ key, value, headers }) => ({
    ...{ topic: "t", partition: 0, timestamp: BigInt(batchOptions.timestampMs), key: Buffer.from(key), value: Buffer.from(value) },
    headers: new Map(Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text)])),
  }));
  return createRecordsBatch(messages, { ...batchOptions, sequences: new NumericMap() }).buffer;
}

function readByTheClient(batch: Buffer): readonly unknown[] {
  return readRecordsBatches(Reader.from(batch)).flatMap(({ records }) =>
    records.map(({ key, headers }) => [String(key), Object.fromEntries(headers.map(([name, text]) => [String(name), String(text)]))]),
  );
}

function rideEvents(): readonly LogRecord[] {
  const id = (): string => Bun.randomUUIDv7();
  return Array.from({ length: recordsPerBatch }, (_, index) => ({
    key: id(),
    value: Buffer.from(`${id()}${id()}${id()}`.padEnd(244 + ((index * 37) % 90), "nyc ewr US Dollar 12.34")),
    headers: { "event-id": id(), type: "RideRequested", traceparent: `00-${id().replaceAll("-", "")}-b7ad6b7169203331-01`, "outbox-id": "123456789" },
  }));
}
