/** A page's bytes say what its gateway said, through the codec; a page whose parts do not fit together is refused by name. */
import { expect, test } from "bun:test";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { columnsIn, createPageDraft, type PositionRun } from "@ridegrid/contracts";
import { type ForwardPositionsRequest, ForwardPositionsRequestSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { reasonOf } from "@ridegrid/rpc";
import fc from "fast-check";
import { positionIn, runsOf } from "./position-page.ts";

const positions = fc.record({
  sequence: fc.bigInt({ min: -5n, max: 2n ** 53n - 1n }),
  latitude: fc.double(),
  longitude: fc.double(),
  headingDegrees: fc.float(),
  speedMps: fc.float(),
  accuracyM: fc.float(),
  observedAtMs: fc.double(),
});
const runs = fc.array(
  fc.record({
    driverId: fc.string({ unit: "binary", minLength: 1, maxLength: 20 }).filter((id) => id.isWellFormed()),
    streamId: fc.oneof(fc.constant(""), fc.uuid()),
    positions: fc.array(positions, { maxLength: 4 }),
  }),
  { maxLength: 6 },
);

function pageOf(runs: readonly PositionRun[]): ForwardPositionsRequest {
  const draft = createPageDraft();
  for (const run of runs) draft.add(run);
  return draft.message(3n);
}

function overTheWire(page: ForwardPositionsRequest): ForwardPositionsRequest {
  return fromBinary(ForwardPositionsRequestSchema, toBinary(ForwardPositionsRequestSchema, page));
}

function read(page: ForwardPositionsRequest, receivedAtMs: number) {
  const columns = columnsIn(page);
  return runsOf(page).map(({ driverId, streamId, from, to }) => ({
    ...{ driverId, streamId },
    positions: Array.from({ length: to - from }, (_, row) => positionIn(columns, from + row, receivedAtMs)),
  }));
}

test("every run of a page is read as it was written", () => {
  fc.assert(
    fc.property(runs, (written: readonly PositionRun[]) => {
      const expected = written.map((run) => ({
        ...run,
        positions: run.positions.map((position) => ({ ...position, sequence: Number(position.sequence), receivedAtMs: 7 })),
      }));
      expect(read(overTheWire(pageOf(written)), 7)).toEqual(expected);
    }),
    { seed: 21, numRuns: 500 },
  );
});

test("a page of many more rows than a draft begins with is read as it was written", () => {
  const written = Array.from({ length: 700 }, (_, run) => ({
    ...{ driverId: `d-${run}`, streamId: "" },
    positions: Array.from({ length: 7 }, (_, row) => ({ ...good, sequence: BigInt(run * 7 + row), latitude: run / 100 })),
  }));
  const rows = read(overTheWire(pageOf(written)), 7).flatMap(({ positions: found }) => found);
  expect(rows.map(({ sequence, latitude }) => [sequence, latitude])).toEqual(Array.from({ length: 4_900 }, (_, row) => [row, Math.floor(row / 7) / 100]));
});

const good = { sequence: 1n, latitude: 40, longitude: -73, headingDegrees: 0, speedMps: 0, accuracyM: 5, observedAtMs: 0 };
const page = (): ForwardPositionsRequest => pageOf([{ driverId: "d-1", streamId: "s-1", positions: [good, good] }]);

test.each<[string, Partial<ForwardPositionsRequest>]>([
  ["a row that is cut off", { rows: page().rows.subarray(1) }],
  ["a row that no run has", { runLengths: [1] }],
  ["a run without rows for it", { runLengths: [3] }],
  ["a run without a driver's length", { driverIdLengths: [] }],
  ["a run without a stream's length", { streamIdLengths: [] }],
  ["a driver without a name", { driverIdLengths: [0] }],
  ["a stream's name that is too long", { ids: `d-1${"s".repeat(37)}`, streamIdLengths: [37] }],
  ["names that are cut off", { ids: "d-1s" }],
  ["names that nobody has", { ids: "d-1s-1d-2" }],
])("a page with %s is FIELD_INVALID", (_, changes) => {
  const odd = Object.assign(page(), changes);
  const refusal = (() => {
    try {
      return runsOf(overTheWire(odd));
    } catch (error) {
      return reasonOf(error);
    }
  })();
  expect(refusal).toBe("FIELD_INVALID");
});
