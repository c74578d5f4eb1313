/**
 * One position as a driver reports it, in plain numbers, read from its message or from its bytes.
 *
 * The short way is for the streams, of which there are thousands. Whatever is not as every client writes it goes through the
 * schema's own codec and rules, so that both take and refuse the same.
 */
import { fromBinary } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { msFromTimestamp, type ReportedPosition } from "@ridegrid/contracts";
import { type Position, type StreamPositionsRequest, StreamPositionsRequestSchema } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { apiError, binaryReader, checkMessage } from "@ridegrid/rpc";

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

const readPlain = binaryReader(StreamPositionsRequestSchema);

/** A `StreamPositionsRequest` at `from` to `to` of `bytes`. @throws FIELD_INVALID when it does not decode or breaks a rule. */
export function readReportedPosition(bytes: Uint8Array, from: number, to: number): ReportedPosition {
  const plain = readPlain?.(bytes, from, to);
  // Its other rule is that a sequence is not negative, which no plain one is.
  return reportedPosition(plain?.observeTime === undefined ? decoded(bytes.subarray(from, to)) : plain);
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
