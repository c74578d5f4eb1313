/** Milliseconds since the Unix epoch <-> google.protobuf.Timestamp; null <-> unset. */
import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampMs, TimestampSchema } from "@bufbuild/protobuf/wkt";

export function timestampFromMs(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1_000);
  return create(TimestampSchema, { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1_000) * 1e6) });
}

/** For a spread into a message's initial value: an unset field stays away. */
export function optionalTime<Field extends string>(field: Field, ms: number | null): { [key in Field]?: Timestamp } {
  return ms === null ? {} : ({ [field]: timestampFromMs(ms) } as { [key in Field]?: Timestamp });
}

export function msFromTimestamp(timestamp: Timestamp | undefined): number | null {
  return timestamp === undefined ? null : timestampMs(timestamp);
}
