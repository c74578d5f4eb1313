/** Positions of one flush become records of a bounded size, every row in one of them and in its column. */
import { fromBinary } from "@bufbuild/protobuf";
import { PositionBatchSchema } from "@ridegrid/contracts/gen/event/v1/events_pb";
import { createTestContext } from "@ridegrid/testing";
import { expect, test } from "bun:test";
import type { ReceivedPosition } from "./judge-position.ts";
import { positionsPerRecordMax } from "./limits.ts";
import { positionRecords } from "./position-batch.ts";

const good = (sequence: number): ReceivedPosition => ({
  sequence,
  observedAtMs: 1_700_000_000_000 + sequence + 0.4,
  receivedAtMs: 0,
  latitude: sequence / 1_000,
  longitude: -sequence / 1_000,
  headingDegrees: sequence % 360,
  speedMps: sequence % 100,
  accuracyM: sequence % 200,
});

for (const count of [0, 1, positionsPerRecordMax, positionsPerRecordMax + 1, 2 * positionsPerRecordMax + 500]) {
  test(`${count} positions lose no row to the cut into records`, () => {
    const positions = new Map(Array.from({ length: count }, (_, index) => [`d-${index}`, good(index)]));
    const records = positionRecords(positions, { marketId: "nyc", flushedAtMs: 1_700_000_000_500, ids: createTestContext().ids });
    const batches = records.map(({ value }) => fromBinary(PositionBatchSchema, value));
    expect(batches.map(({ driverIds }) => driverIds.length).every((rows) => rows > 0 && rows <= positionsPerRecordMax)).toBe(true);
    expect(records.map(({ key }) => key).every((key) => key === "nyc")).toBe(true);
    const rows = batches.flatMap((batch) =>
      batch.driverIds.map((driverId, row) => ({
        driverId,
        sequence: batch.sequences[row],
        latitude: batch.latitudes[row],
        longitude: batch.longitudes[row],
        headingDegrees: batch.headingsDegrees[row],
        speedMps: batch.speedsMps[row],
        accuracyM: batch.accuraciesM[row],
        observedAtMs: batch.observeTimesMs[row],
      })),
    );
    const expected = [...positions].map(([driverId, { sequence, latitude, longitude, headingDegrees, speedMps, accuracyM, observedAtMs }]) => ({
      ...{ driverId, sequence: BigInt(sequence), latitude, longitude, headingDegrees, speedMps, accuracyM },
      observedAtMs: BigInt(Math.round(observedAtMs)),
    }));
    expect(rows).toEqual(expected);
  });
}
