/** Batches read as records, held to the client's own reader. */
import { createRecordsBatch, Reader, readRecordsBatches } from "@platformatic/kafka";
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { StoredRecord } from "./event-log.ts";
import { storedRecords } from "./stored-records.kafka.ts";

const text = fc.string({ unit: "binary", maxLength: 60 });
const record = fc.record({
  key: fc.option(text, { nil: undefined }),
  value: fc.uint8Array({ maxLength: 300, size: "max" }),
  headers: fc.uniqueArray(fc.tuple(text, text), { maxLength: 5, selector: ([name]) => name }),
  timestamp: fc.bigInt({ min: 0n, max: 2n ** 44n }),
});
const batch = fc.record({
  records: fc.array(record, { minLength: 1, maxLength: 40, size: "max" }),
  compression: fc.constantFrom("none", "lz4", "zstd", "gzip", "snappy"),
  gap: fc.nat(5),
  kind: fc.constantFrom("data", "data", "control", "timed by the broker"),
});
type Batch = typeof batch extends fc.Arbitrary<infer T> ? T : never;

const everything = { maxRecords: 10_000, maxBytes: 100_000_000, maxWaitMs: 0 };

/** One after the other from offset 7, as a broker would send them. */
function laidOut(batches: readonly Batch[]): Buffer {
  let next = 7;
  const buffers = batches.map(({ records, compression, gap, kind }) => {
    const messages = records.map(({ key, value, headers, timestamp }) => ({
      ...{ topic: "t", partition: 0, timestamp, value: Buffer.from(value) },
      ...(key === undefined ? {} : { key: Buffer.from(key) }),
      headers: new Map(headers.map(([name, of]) => [Buffer.from(name), Buffer.from(of)])),
    }));
    const { buffer } = createRecordsBatch(messages, { compression });
    buffer.writeBigInt64BE(BigInt(next + gap), 0);
    const flags = { data: 0, control: 0x20, "timed by the broker": 0x08 } as const;
    buffer.writeInt16BE(buffer.readInt16BE(21) | flags[kind], 21);
    next += gap + records.length;
    return buffer;
  });
  return Buffer.concat(buffers);
}

function byTheClient(batches: Buffer): readonly StoredRecord[] {
  return readRecordsBatches(Reader.from(batches))
    .filter(({ attributes }) => (attributes & 0x20) === 0)
    .flatMap(({ records, attributes, firstOffset, firstTimestamp, maxTimestamp }) =>
      records.map(({ offsetDelta, timestampDelta, key, value, headers }) => ({
        offset: Number(firstOffset) + offsetDelta,
        appendedAtMs: Number((attributes & 0x08) === 0 ? firstTimestamp + timestampDelta : maxTimestamp),
        key: String(key ?? ""),
        value: new Uint8Array(value ?? []),
        headers: Object.fromEntries(headers.map(([name, of]) => [String(name), String(of)])),
      })),
    );
}

function plain(records: readonly StoredRecord[]): readonly StoredRecord[] {
  return records.map((one) => ({ ...one, value: new Uint8Array(one.value) }));
}

describe("storedRecords()", () => {
  test("answers what the client would, from any offset", () => {
    fc.assert(
      fc.property(fc.array(batch, { maxLength: 4 }), fc.nat(120), (batches, fromOffset) => {
        const bytes = laidOut(batches);
        const expected = byTheClient(bytes).filter(({ offset }) => offset >= fromOffset);
        expect(plain(storedRecords(bytes, fromOffset, everything).records)).toEqual(plain(expected));
      }),
      { numRuns: 200 },
    );
  });

  test("within limits a part at a time is the whole, and none is above its limits but by one record", () => {
    fc.assert(
      fc.property(fc.array(batch, { maxLength: 4 }), fc.integer({ min: 1, max: 30 }), fc.nat(3_000), (batches, maxRecords, maxBytes) => {
        const bytes = laidOut(batches);
        const all: StoredRecord[] = [];
        for (let rest = bytes; rest.length > 0;) {
          const part = storedRecords(rest, (all.at(-1)?.offset ?? -1) + 1, { maxRecords, maxBytes, maxWaitMs: 0 });
          const valueBytes = part.records.slice(1).reduce((sum, { value }) => sum + value.length, 0);
          expect(part.records.length).toBeWithin(part.rest.length > 0 ? 1 : 0, maxRecords + 1);
          expect(valueBytes).toBeLessThanOrEqual(maxBytes);
          all.push(...part.records);
          ({ rest } = part);
        }
        expect(plain(all)).toEqual(plain(byTheClient(bytes)));
      }),
      { numRuns: 100 },
    );
  });

  test("a batch that the broker cut short is left for the next read", () => {
    const plainBatch = (value: string): Batch => ({
      records: [{ key: "k", value: Buffer.from(value), headers: [], timestamp: 0n }],
      ...{ compression: "none", gap: 0, kind: "data" },
    });
    const bytes = laidOut([plainBatch("first"), plainBatch("second")]);
    for (const missing of [1, 30, 74]) {
      const { records, rest } = storedRecords(bytes.subarray(0, bytes.length - missing), 0, everything);
      expect(records.map(({ offset }) => offset)).toEqual([7]);
      expect(rest).toHaveLength(0);
    }
  });

  test("a compression that nobody knows is an error", () => {
    const bytes = laidOut([{ records: [{ key: "k", value: new Uint8Array(), headers: [], timestamp: 0n }], compression: "none", gap: 0, kind: "data" }]);
    bytes.writeInt16BE(7, 21);
    expect(() => storedRecords(bytes, 0, everything)).toThrow("Cannot read a batch of compression 7");
  });
});
