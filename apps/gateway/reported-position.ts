/**
 * One position as a driver reports it, in plain numbers, read from its message or straight from its bytes.
 *
 * Reading bytes by hand is for the streams, of which there are thousands. Whatever is not as every client writes it goes
 * through the schema's own codec and rules, so that both take and refuse the same.
 */
import { fromBinary } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { msFromTimestamp, type ReportedPosition } from "@ridegrid/contracts";
import { type Position, type StreamPositionsRequest, StreamPositionsRequestSchema } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { apiError, checkMessage } from "@ridegrid/rpc";

export function reportedPosition({
  sequence,
  location,
  headingDegrees,
  speedMps,
  accuracyM,
  observeTime,
}: Position | StreamPositionsRequest): ReportedPosition {
  const { latitude, longitude } = location ?? { latitude: Number.NaN, longitude: Number.NaN };
  return { sequence, latitude, longitude, headingDegrees, speedMps, accuracyM, observedAtMs: msFromTimestamp(observeTime) ?? Number.NaN };
}

/** A `StreamPositionsRequest` at `from` to `to` of `bytes`. @throws FIELD_INVALID when it does not decode or breaks a rule. */
export function readReportedPosition(bytes: Uint8Array, from: number, to: number): ReportedPosition {
  return readPlain(bytes, from, to) ?? reportedPosition(decoded(bytes.subarray(from, to)));
}

function decoded(bytes: Uint8Array): StreamPositionsRequest {
  const message = fromMessage(bytes);
  checkMessage(StreamPositionsRequestSchema, message);
  return message;
}

function fromMessage(bytes: Uint8Array): StreamPositionsRequest {
  try {
    return fromBinary(StreamPositionsRequestSchema, bytes);
  } catch (cause) {
    const { rawMessage } = ConnectError.from(cause);
    throw apiError("FIELD_INVALID", `Cannot decode the message: ${rawMessage}`, { field: "body" }, undefined, cause);
  }
}

const tag = { sequence: 0x08, location: 0x12, heading: 0x1d, speed: 0x25, accuracy: 0x2d, observeTime: 0x32 } as const;
const placeTag = { latitude: 0x09, longitude: 0x11 } as const;
const timeTag = { seconds: 0x08, nanos: 0x10 } as const;

type Draft = { sequence: number; latitude: number; longitude: number; heading: number; speed: number; accuracy: number; seconds: number; nanos: number };

/** One at a time is read, and none is kept. */
const draft: Draft = { sequence: 0, latitude: 0, longitude: 0, heading: 0, speed: 0, accuracy: 0, seconds: 0, nanos: 0 };
const cursor = { at: 0 };

/** Undefined when it is not plain: an unknown field, a number beyond 49 bits, a part that comes twice or not at all. */
function readPlain(bytes: Uint8Array, from: number, to: number): ReportedPosition | undefined {
  draft.sequence = draft.heading = draft.speed = draft.accuracy = 0;
  let seen = 0;
  for (cursor.at = from; cursor.at < to;) {
    const field = bytes[cursor.at++];
    const bit = 1 << ((field ?? 0) >> 3);
    if ((seen & bit) !== 0 || !readField(field, bytes)) return undefined;
    seen |= bit;
  }
  if (cursor.at !== to || (seen & required) !== required) return undefined;
  return {
    sequence: BigInt(draft.sequence),
    latitude: draft.latitude,
    longitude: draft.longitude,
    headingDegrees: draft.heading,
    speedMps: draft.speed,
    accuracyM: draft.accuracy,
    observedAtMs: draft.seconds * 1_000 + Math.round(draft.nanos / 1_000_000),
  };
}

const required = (1 << (tag.location >> 3)) | (1 << (tag.observeTime >> 3));

function readField(field: number | undefined, bytes: Uint8Array): boolean {
  switch (field) {
    case tag.sequence:
      return (draft.sequence = varint(bytes)) >= 0;
    case tag.location:
      return readPlace(bytes);
    case tag.heading:
      draft.heading = float(bytes);
      return true;
    case tag.speed:
      draft.speed = float(bytes);
      return true;
    case tag.accuracy:
      draft.accuracy = float(bytes);
      return true;
    case tag.observeTime:
      return readTime(bytes);
    default:
      return false;
  }
}

function readPlace(bytes: Uint8Array): boolean {
  const end = endOfPart(bytes);
  draft.latitude = draft.longitude = 0;
  while (cursor.at < end) {
    const field = bytes[cursor.at++];
    if (field !== placeTag.latitude && field !== placeTag.longitude) return false;
    if (cursor.at + 8 > end) return false;
    const degrees = double(bytes);
    if (field === placeTag.latitude) draft.latitude = degrees;
    else draft.longitude = degrees;
  }
  return cursor.at === end;
}

function readTime(bytes: Uint8Array): boolean {
  const end = endOfPart(bytes);
  draft.seconds = draft.nanos = 0;
  while (cursor.at < end) {
    const field = bytes[cursor.at++];
    if (field !== timeTag.seconds && field !== timeTag.nanos) return false;
    const value = varint(bytes);
    if (value < 0 || (field === timeTag.nanos && value >= 2 ** 31)) return false;
    if (field === timeTag.seconds) draft.seconds = value;
    else draft.nanos = value;
  }
  return cursor.at === end;
}

/** -1 when there is none. */
function endOfPart(bytes: Uint8Array): number {
  const length = varint(bytes);
  return length < 0 || cursor.at + length > bytes.length ? -1 : cursor.at + length;
}

function float(bytes: Uint8Array): number {
  for (let byte = 0; byte < 4; byte++) scratch[byte] = bytes[cursor.at++] ?? 0;
  return floats[0] ?? Number.NaN;
}

function double(bytes: Uint8Array): number {
  for (let byte = 0; byte < 8; byte++) scratch[byte] = bytes[cursor.at++] ?? 0;
  return doubles[0] ?? Number.NaN;
}

/** Cheaper than a view on each chunk. Little-endian, as the wire is, and as all that Bun runs on. */
const scratch = new Uint8Array(8);
const floats = new Float32Array(scratch.buffer);
const doubles = new Float64Array(scratch.buffer);

/** -1 when it is cut off or longer than 49 bits. */
function varint(bytes: Uint8Array): number {
  let value = 0;
  for (let scale = 1; scale <= 2 ** 42; scale *= 128) {
    const byte = bytes[cursor.at++];
    if (byte === undefined) return -1;
    value += (byte & 127) * scale;
    if (byte < 128) return value;
  }
  return -1;
}
