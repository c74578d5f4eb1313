/** Appends stay within their bounds whatever the characters are: sizes near the bound, in letters of one to four bytes. */
import { describe, expect, test } from "bun:test";
import { createSeededRandom } from "@ridegrid/testing";
import { type LogRecord, RecordTooLarge } from "./event-log.ts";
import { appendLimits } from "./limits.ts";
import { assertAppendFits, recordBytes, splitToAppends } from "./record-codec.ts";

const letters = ["a", "é", "東", "🚕"];

describe("splitToAppends()", () => {
  test("keeps every record, in order, in appends that fit by their exact size, and one append where one is enough", () => {
    const random = createSeededRandom(5);
    const below = (max: number): number => Math.floor(random.next() * max);
    for (let round = 0; round < 60; round++) {
      const records = Array.from({ length: 1 + below(40) }, (_, index) => record(letters[below(4)] ?? "a", below(25_000), String(index)));
      const appends = splitToAppends(records);
      expect(appends.flat()).toEqual(records);
      for (const append of appends) expect(bytesOf(append)).toBeLessThanOrEqual(appendLimits.batchBytesMax);
      expect(appends.length === 1).toBe(bytesOf(records) <= appendLimits.batchBytesMax);
    }
    expect(splitToAppends([])).toEqual([]);
  });
});

describe("assertAppendFits()", () => {
  for (const letter of letters) {
    test(`takes what fits to the byte and refuses one letter "${letter}" more`, () => {
      const size = Buffer.byteLength(letter);
      const room = appendLimits.recordBytesMax - recordBytes(record(letter, 0, ""));
      const fits = record(letter, Math.floor(room / size), "");
      const above = record(letter, Math.floor(room / size) + 1, "");
      expect(() => assertAppendFits("topic", 0, [fits])).not.toThrow();
      expect(() => assertAppendFits("topic", 0, [above])).toThrow(RecordTooLarge);
    });
  }

  test("refuses more records than an append takes, however small", () => {
    const records = Array.from({ length: appendLimits.batchRecordsMax + 1 }, () => record("a", 1, ""));
    expect(() => assertAppendFits("topic", 0, records)).toThrow(RecordTooLarge);
    expect(splitToAppends(records).map((append) => append.length)).toEqual([appendLimits.batchRecordsMax, 1]);
  });
});

/** `length` letters in its header. */
function record(letter: string, length: number, key: string): LogRecord {
  return { key, value: new Uint8Array(10), headers: { note: letter.repeat(length) } };
}

function bytesOf(records: readonly LogRecord[]): number {
  return records.reduce((sum, each) => sum + recordBytes(each), 0);
}
