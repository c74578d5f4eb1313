/**
 * How the embedded log lays the records of one append into one `bytea`: count-prefixed frames of key, value, headers.
 *
 * One row an append instead of one a record: an append is one small statement and a read fetches a few rows.
 */
import { appendLimits } from "./limits.ts";
import { type LogRecord, RecordTooLarge, type StoredRecord } from "./event-log.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const frameOverheadBytes = 12;

/** The size that the limits count: key, value and headers with their framing. */
export function recordBytes(record: LogRecord): number {
  let bytes = frameOverheadBytes + Buffer.byteLength(record.key) + record.value.byteLength;
  for (const [name, value] of Object.entries(record.headers)) bytes += 8 + Buffer.byteLength(name) + Buffer.byteLength(value);
  return bytes;
}

/** At least `recordBytes`, by lengths alone: a character takes up to three bytes. Counting exactly is a tenth of what a relay costs. */
function recordBytesAtMost(record: LogRecord): number {
  let characters = record.key.length;
  let headers = 0;
  for (const name in record.headers) {
    headers++;
    characters += name.length + (record.headers[name]?.length ?? 0);
  }
  return frameOverheadBytes + 8 * headers + 3 * characters + record.value.byteLength;
}

/** True when the records fit into one append whatever their characters are; false says nothing. */
function surelyFit(records: readonly LogRecord[]): boolean {
  if (records.length > appendLimits.batchRecordsMax) return false;
  let total = 0;
  for (const record of records) {
    const bytes = recordBytesAtMost(record);
    total += bytes;
    if (bytes > appendLimits.recordBytesMax || total > appendLimits.batchBytesMax) return false;
  }
  return true;
}

/** @throws RecordTooLarge when a record or the whole append is above its bound. */
export function assertAppendFits(topic: string, partition: number, records: readonly LogRecord[]): void {
  if (surelyFit(records)) return;
  const where = `append to ${topic}/${partition}`;
  if (records.length > appendLimits.batchRecordsMax)
    throw new RecordTooLarge(`Cannot ${where}: ${records.length} records, at most ${appendLimits.batchRecordsMax}`);
  let total = 0;
  for (const record of records) {
    const bytes = recordBytes(record);
    if (bytes > appendLimits.recordBytesMax) {
      throw new RecordTooLarge(`Cannot ${where}: record "${record.key}" has ${bytes} bytes, at most ${appendLimits.recordBytesMax}`);
    }
    total += bytes;
  }
  if (total > appendLimits.batchBytesMax)
    throw new RecordTooLarge(`Cannot ${where}: ${records.length} records have ${total} bytes, at most ${appendLimits.batchBytesMax}`);
}

/** Cuts records, in order, into appends that fit the limits. A record that fits alone always gets a place. */
export function splitToAppends<T extends LogRecord>(records: readonly T[]): readonly (readonly T[])[] {
  if (surelyFit(records)) return records.length > 0 ? [records] : [];
  const appends: T[][] = [];
  let current: T[] = [];
  let bytes = 0;
  for (const record of records) {
    const size = recordBytes(record);
    if (current.length > 0 && (current.length >= appendLimits.batchRecordsMax || bytes + size > appendLimits.batchBytesMax)) {
      appends.push(current);
      current = [];
      bytes = 0;
    }
    current.push(record);
    bytes += size;
  }
  if (current.length > 0) appends.push(current);
  return appends;
}

export function encodeRecords(records: readonly LogRecord[]): Buffer {
  const total = records.reduce((sum, record) => sum + recordBytes(record), 0);
  const out = Buffer.allocUnsafe(total);
  let at = 0;
  const put = (bytes: Uint8Array): void => {
    at = out.writeUInt32BE(bytes.byteLength, at);
    out.set(bytes, at);
    at += bytes.byteLength;
  };
  for (const record of records) {
    const headers = Object.entries(record.headers);
    put(encoder.encode(record.key));
    put(record.value);
    at = out.writeUInt32BE(headers.length, at);
    for (const [name, value] of headers) {
      put(encoder.encode(name));
      put(encoder.encode(value));
    }
  }
  return out.subarray(0, at);
}

/** The records of one stored append, with their offsets. Values are views of `bytes`. */
export function decodeRecords(
  bytes: Uint8Array,
  batch: { readonly baseOffset: number; readonly count: number; readonly appendedAtMs: number },
): readonly StoredRecord[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const take = (): Uint8Array => {
    const length = view.getUint32(at);
    at += 4 + length;
    return bytes.subarray(at - length, at);
  };
  return Array.from({ length: batch.count }, (_, index) => {
    const key = decoder.decode(take());
    const value = take();
    const headers: Record<string, string> = {};
    const headerCount = view.getUint32(at);
    at += 4;
    for (let header = 0; header < headerCount; header++) {
      const name = decoder.decode(take());
      headers[name] = decoder.decode(take());
    }
    return { key, value, headers, offset: batch.baseOffset + index, appendedAtMs: batch.appendedAtMs };
  });
}
