/**
 * The records of one append as one record batch of Kafka (message format 2), written in one pass into one buffer.
 *
 * Layout: https://kafka.apache.org/documentation/#recordbatch. The client's own encoder makes about 25 small buffers a
 * record, most of what an append cost; `record-batch.kafka.test.ts` holds both equal byte for byte.
 */
import { compressionsAlgorithms, crc32c } from "@platformatic/kafka";
import type { LogRecord } from "./event-log.ts";
import { kafkaLimits } from "./limits.kafka.ts";

export type Compression = "none" | "lz4" | "zstd";

export type BatchOptions = {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** Of the first record; the broker knows by it a batch that it has already. */
  readonly firstSequence: number;
  readonly timestampMs: number;
  readonly compression: Compression;
};

const headBytes = 61;
const crcAt = 17;
const attributesAt = 21;
const magic = 2;

/** Records are laid out here and then copied, compressed or not: nothing waits in between. */
let scratch: Buffer | undefined;

/** `records` fit an append (`assertAppendFits`). */
export function encodeRecordBatch(records: readonly LogRecord[], options: BatchOptions): Buffer {
  const laidOut = layOut(records, (scratch ??= Buffer.allocUnsafeSlow(kafkaLimits.batchBytesMax)));
  const { bitmask, compressSync } = compressionsAlgorithms[options.compression];
  const body = bitmask === 0 ? laidOut : compressSync(laidOut);
  const batch = Buffer.allocUnsafe(headBytes + body.length);
  // A clock that is corrected to another tells parts of a millisecond, too.
  const timestamp = BigInt(Math.floor(options.timestampMs));
  batch.writeBigInt64BE(0n, 0);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt32BE(0, 12);
  batch.writeInt8(magic, 16);
  batch.writeInt16BE(bitmask, attributesAt);
  batch.writeInt32BE(records.length - 1, 23);
  batch.writeBigInt64BE(timestamp, 27);
  batch.writeBigInt64BE(timestamp, 35);
  batch.writeBigInt64BE(options.producerId, 43);
  batch.writeInt16BE(options.producerEpoch, 51);
  batch.writeInt32BE(options.firstSequence, 53);
  batch.writeInt32BE(records.length, 57);
  batch.set(body, headBytes);
  batch.writeUInt32BE(crc32c(batch.subarray(attributesAt)), crcAt);
  return batch;
}

function layOut(records: readonly LogRecord[], out: Buffer): Buffer {
  let at = 0;
  for (const [index, record] of records.entries()) at = putRecord(out, at, record, index);
  return out.subarray(0, at);
}

/** Its length comes first and is known last: room is left for the usual two bytes, and the record moved when it takes others. */
function putRecord(out: Buffer, start: number, record: LogRecord, offsetDelta: number): number {
  const usualLengthBytes = 2;
  let at = start + usualLengthBytes;
  out[at++] = 0; // attributes
  out[at++] = 0; // timestamp: the batch's
  at = putVarint(out, at, offsetDelta);
  at = putText(out, at, record.key);
  at = putBytes(out, at, record.value);
  at = putHeaders(out, at, record.headers);
  const length = at - start - usualLengthBytes;
  const lengthBytes = varintBytes(length);
  if (lengthBytes !== usualLengthBytes) out.copyWithin(start + lengthBytes, start + usualLengthBytes, at);
  putVarint(out, start, length);
  return start + lengthBytes + length;
}

function putHeaders(out: Buffer, start: number, headers: LogRecord["headers"]): number {
  const names = Object.keys(headers);
  let at = putVarint(out, start, names.length);
  for (const name of names) at = putText(out, putText(out, at, name), headers[name] ?? "");
  return at;
}

/** Zigzag, and only of what is not negative. */
function putVarint(out: Buffer, start: number, value: number): number {
  let at = start;
  let rest = value * 2;
  for (; rest > 0x7f; rest >>>= 7) out[at++] = (rest & 0x7f) | 0x80;
  out[at++] = rest;
  return at;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value >>> 6; rest > 0; rest >>>= 7) bytes++;
  return bytes;
}

function putBytes(out: Buffer, start: number, bytes: Uint8Array): number {
  const at = putVarint(out, start, bytes.byteLength);
  out.set(bytes, at);
  return at + bytes.byteLength;
}

/** As UTF-8. Keys and headers are nearly always short and ASCII, for which a loop beats any encoder. */
function putText(out: Buffer, start: number, text: string): number {
  let at = putVarint(out, start, text.length);
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code > 0x7f) {
      at = putVarint(out, start, Buffer.byteLength(text));
      return at + out.write(text, at);
    }
    out[at++] = code;
  }
  return at;
}
