/**
 * What a fetch brought, record batches of Kafka (message format 2) as they lie in the log, read as records: only those
 * that are asked for, straight from the bytes.
 *
 * Layout: https://kafka.apache.org/documentation/#recordbatch. The client's own reader decodes whatever the broker sent,
 * by about 25 small objects a record; `stored-records.kafka.test.ts` holds both equal.
 */
import { compressionsAlgorithmsByBitmask } from "@platformatic/kafka";
import type { ReadLimits, StoredRecord } from "./event-log.ts";

export type ReadBatches = {
  readonly records: readonly StoredRecord[];
  /** Where a limit ended it: the batches that hold the records after these; empty when there are none. */
  readonly rest: Buffer;
};

type Cursor = { readonly bytes: Buffer; at: number };

const batchHead = { lengthAt: 8, lengthEnd: 12, attributesAt: 21, lastDeltaAt: 23, firstTimeAt: 27, maxTimeAt: 35, countAt: 57, bytes: 61 } as const;
const compressionBits = 0b111;
const logAppendTime = 0x08;
const controlBatch = 0x20;

/** The broker sends batches whole, the last one perhaps cut short: what lies below the asked offset is left out, and so are control batches. */
export function storedRecords(batches: Buffer, fromOffset: number, limits: ReadLimits): ReadBatches {
  const records: StoredRecord[] = [];
  let bytes = 0;
  for (let at = 0; at + batchHead.bytes <= batches.length;) {
    const end = at + batchHead.lengthEnd + batches.readInt32BE(at + batchHead.lengthAt);
    if (end > batches.length) break;
    const batch = batches.subarray(at, end);
    const first = Number(batch.readBigInt64BE(0));
    const attributes = batch.readInt16BE(batchHead.attributesAt);
    if ((attributes & controlBatch) === 0 && first + batch.readInt32BE(batchHead.lastDeltaAt) >= fromOffset) {
      const baseTimeMs = Number(batch.readBigInt64BE((attributes & logAppendTime) === 0 ? batchHead.firstTimeAt : batchHead.maxTimeAt));
      const cursor = bodyOf(batch, attributes);
      for (let left = batch.readInt32BE(batchHead.countAt); left > 0; left--) {
        const length = readVarint(cursor);
        const recordEnd = cursor.at + length;
        cursor.at++; // attributes
        const timeDelta = readVarint(cursor);
        const offset = first + readVarint(cursor);
        if (offset >= fromOffset) {
          bytes += length;
          if (records.length === limits.maxRecords || (records.length > 0 && bytes > limits.maxBytes)) return { records, rest: batches.subarray(at) };
          records.push(readRecord(cursor, offset, (attributes & logAppendTime) === 0 ? baseTimeMs + timeDelta : baseTimeMs));
        }
        cursor.at = recordEnd;
      }
    }
    at = end;
  }
  return { records, rest: batches.subarray(batches.length) };
}

function bodyOf(batch: Buffer, attributes: number): Cursor {
  const body = batch.subarray(batchHead.bytes);
  const compression = attributes & compressionBits;
  if (compression === 0) return { bytes: body, at: 0 };
  const algorithm = Object.entries(compressionsAlgorithmsByBitmask).find(([bitmask]) => Number(bitmask) === compression)?.[1];
  if (algorithm === undefined) throw new Error(`Cannot read a batch of compression ${compression}`);
  return { bytes: algorithm.decompressSync(body), at: 0 };
}

function readRecord(cursor: Cursor, offset: number, appendedAtMs: number): StoredRecord {
  const key = readText(cursor);
  const value = readBytes(cursor);
  const headers: (readonly [string, string])[] = [];
  for (let left = readVarint(cursor); left > 0; left--) headers.push([readText(cursor), readText(cursor)]);
  return { offset, appendedAtMs, key, value, headers: Object.fromEntries(headers) };
}

/** What is not there is empty. */
function readText(cursor: Cursor): string {
  const length = readVarint(cursor);
  if (length <= 0) return "";
  cursor.at += length;
  return cursor.bytes.toString("utf8", cursor.at - length, cursor.at);
}

function readBytes(cursor: Cursor): Uint8Array {
  const length = readVarint(cursor);
  if (length <= 0) return new Uint8Array();
  cursor.at += length;
  return cursor.bytes.subarray(cursor.at - length, cursor.at);
}

/** Zigzag; nearly always one byte or two. Exact as far as numbers are. */
function readVarint(cursor: Cursor): number {
  let byte = cursor.bytes[cursor.at++] ?? 0;
  let value = byte & 0x7f;
  for (let unit = 0x80; byte > 0x7f; unit *= 0x80) {
    byte = cursor.bytes[cursor.at++] ?? 0;
    value += (byte & 0x7f) * unit;
  }
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}
