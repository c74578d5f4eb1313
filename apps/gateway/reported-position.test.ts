/** Reading a position's bytes the short way and through the schema's codec and rules: the same positions, and the same refusals. */
import { describe, expect, test } from "bun:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type ReportedPosition, timestampFromMs } from "@ridegrid/contracts";
import { type StreamPositionsRequest, StreamPositionsRequestSchema } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { checkMessage, reasonOf } from "@ridegrid/rpc";
import fc from "fast-check";
import { readReportedPosition, reportedPosition } from "./reported-position.ts";

type Read = ReportedPosition | "refused";

function theShortWay(bytes: Uint8Array): Read {
  // In the middle of a chunk, as they come.
  const chunk = Buffer.concat([Buffer.from([1, 2, 3]), bytes, Buffer.from([8, 8, 8])]);
  return refusedOr(() => readReportedPosition(chunk, 3, 3 + bytes.length));
}

function bySchema(bytes: Uint8Array): Read {
  try {
    const message: StreamPositionsRequest = fromBinary(StreamPositionsRequestSchema, bytes);
    checkMessage(StreamPositionsRequestSchema, message);
    return reportedPosition(message);
  } catch {
    return "refused";
  }
}

/** Whatever is refused must be the caller's fault. */
function refusedOr(read: () => ReportedPosition): Read {
  try {
    return read();
  } catch (error) {
    expect(reasonOf(error)).toBe("FIELD_INVALID");
    return "refused";
  }
}

const degrees = fc.oneof(fc.double(), fc.double({ min: -180, max: 180 }));
const positions = fc.record(
  {
    sequence: fc.oneof(fc.bigInt({ min: 0n, max: 1_000n }), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
    location: fc.record({ latitude: degrees, longitude: degrees }, { requiredKeys: [] }),
    headingDegrees: fc.float(),
    speedMps: fc.float(),
    accuracyM: fc.float(),
    observeTime: fc.record(
      { seconds: fc.bigInt({ min: -(2n ** 40n), max: 2n ** 60n }), nanos: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }) },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);

describe("readReportedPosition()", () => {
  test("reads every position as the schema's codec does, and refuses what its rules refuse", () => {
    let read = 0;
    fc.assert(
      fc.property(positions, (fields) => {
        const bytes = toBinary(StreamPositionsRequestSchema, create(StreamPositionsRequestSchema, fields));
        const expected = bySchema(bytes);
        expect(theShortWay(bytes)).toEqual(expected);
        if (expected !== "refused") read++;
      }),
      { seed: 11, numRuns: 5_000 },
    );
    expect(read).toBeGreaterThan(500);
  });

  test("reads and refuses mangled bytes as the codec does", () => {
    const whole = toBinary(
      StreamPositionsRequestSchema,
      create(StreamPositionsRequestSchema, {
        sequence: 300n,
        location: { latitude: 40.75, longitude: -73.98 },
        headingDegrees: 90,
        speedMps: 8.5,
        accuracyM: 6,
        observeTime: timestampFromMs(1_700_000_000_123),
      }),
    );
    const at = fc.nat(whole.length - 1);
    const mangling = fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant("set" as const), at, byte: fc.nat(255) }),
        fc.record({ kind: fc.constant("cut" as const), at, byte: fc.nat(8) }),
        fc.record({ kind: fc.constant("put" as const), at, byte: fc.nat(255) }),
      ),
      { maxLength: 3 },
    );
    fc.assert(
      fc.property(mangling, (changes) => {
        const bytes = [...whole];
        for (const { kind, at: index, byte } of changes) {
          if (kind === "set") bytes[Math.min(index, bytes.length - 1)] = byte;
          else if (kind === "cut") bytes.splice(index, byte);
          else bytes.splice(index, 0, byte);
        }
        const mangled = Uint8Array.from(bytes);
        expect(theShortWay(mangled)).toEqual(bySchema(mangled));
      }),
      { seed: 12, numRuns: 5_000 },
    );
  });
});
