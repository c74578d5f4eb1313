/** The batch of one append, held to the client's own encoder. */
import { createRecordsBatch, NumericMap } from "@platformatic/kafka";
import { expect, test } from "bun:test";
import fc from "fast-check";
import type { LogRecord } from "./event-log.ts";
import { type BatchOptions, encodeRecordBatch } from "./record-batch.kafka.ts";

const header = fc.tuple(fc.string({ unit: "binary", maxLength: 40 }), fc.string({ unit: "binary", maxLength: 80 }));
const record: fc.Arbitrary<LogRecord> = fc.record({
  key: fc.string({ unit: "binary", maxLength: 100 }),
  value: fc.uint8Array({ maxLength: 300, size: "max" }),
  headers: fc.uniqueArray(header, { maxLength: 5, selector: ([name]) => name }).map((headers) => Object.fromEntries(headers)),
});
const options: fc.Arbitrary<BatchOptions> = fc.record({
  producerId: fc.bigInt({ min: -1n, max: 2n ** 62n }),
  producerEpoch: fc.integer({ min: 0, max: 32_767 }),
  firstSequence: fc.nat(),
  timestampMs: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
  compression: fc.constantFrom("none", "lz4", "zstd"),
});

/** The same batch by the client's own encoder. */
function byTheClient(records: readonly LogRecord[], { firstSequence, timestampMs, ...rest }: BatchOptions): Buffer {
  const messages = records.map(({ key, value, headers }) => ({
    topic: "t",
    partition: 0,
    timestamp: BigInt(timestampMs),
    key: Buffer.from(key),
    value: Buffer.from(value),
    headers: new Map(Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text)])),
  }));
  const sequences = new NumericMap();
  sequences.set("t:0", firstSequence);
  return createRecordsBatch(messages, { ...rest, sequences }).buffer;
}

test("a batch is byte for byte what the client would encode", () => {
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 60, size: "max" }), options, (records, how) => {
      expect(encodeRecordBatch(records, how).equals(byTheClient(records, how))).toBe(true);
    }),
    { numRuns: 200 },
  );
});

test("a record's length may take any number of bytes", () => {
  const how: BatchOptions = { producerId: 1n, producerEpoch: 0, firstSequence: 0, timestampMs: 0, compression: "none" };
  for (const size of [0, 30, 56, 57, 58, 59, 8_183, 8_184, 8_185, 8_186, 1_000_000]) {
    const records = [
      { key: "", value: new Uint8Array(size).fill(7), headers: {} },
      { key: "after", value: new Uint8Array(3), headers: {} },
    ];
    expect(encodeRecordBatch(records, how).equals(byTheClient(records, how))).toBe(true);
  }
});

test("a corrected clock's time, which is no whole number of milliseconds, is told as one", () => {
  const at = (timestampMs: number): Buffer =>
    encodeRecordBatch([{ key: "k", value: new Uint8Array(3), headers: {} }], {
      ...{ producerId: 1n, producerEpoch: 0, firstSequence: 0, compression: "none" },
      timestampMs,
    });
  expect(at(1_700_000_000_000.75).equals(at(1_700_000_000_000))).toBe(true);
});
