/** Which drivers a round records: those that moved or were not confirmed for a while, the ones waiting longest first. */
import { expect, test } from "bun:test";
import { create } from "@bufbuild/protobuf";
import { PositionBatchSchema } from "@ridegrid/contracts/gen/event/v1/events_pb";
import { createLastPositions } from "./last-positions.ts";
import { placeRepeatMs, placesPerRoundMax } from "./limits.ts";
import { createPlaceRounds } from "./record-places.ts";

const startMs = 1_800_000_000_000;

function setUp() {
  const positions = createLastPositions({ max: 100_000 });
  const rounds = createPlaceRounds(positions);
  return {
    rounds,
    report(drivers: readonly string[], latitude: number, atMs: number) {
      const each = <T>(value: T): T[] => drivers.map(() => value);
      const columns = { sequences: each(1n), latitudes: each(latitude), longitudes: each(-74), headingsDegrees: each(0), observeTimesMs: each(BigInt(atMs)) };
      positions.apply(create(PositionBatchSchema, { driverIds: [...drivers], ...columns }), atMs);
    },
    record() {
      const due = rounds.due();
      rounds.recorded(due);
      return due.map(({ driverId }) => driverId);
    },
  };
}

test("a driver that stands still is recorded seldom, one that moves at once", () => {
  const { report, record, rounds } = setUp();
  report(["d-1"], 40.7, startMs);
  expect(record()).toEqual(["d-1"]);
  expect(record()).toEqual([]);
  report(["d-1"], 40.7, startMs + placeRepeatMs - 1);
  expect(record()).toEqual([]);
  report(["d-1"], 40.7, startMs + placeRepeatMs);
  expect(record()).toEqual(["d-1"]);
  report(["d-1"], 40.701, startMs + placeRepeatMs + 1);
  expect(record()).toEqual(["d-1"]);
  rounds.restart();
  expect(record()).toEqual(["d-1"]);
});

test("what does not fit in a round is first in the next, and what failed is due again", () => {
  const { report, record, rounds } = setUp();
  const drivers = Array.from({ length: placesPerRoundMax + 10 }, (_, index) => `d-${index}`);
  report(drivers, 40.7, startMs);
  expect(rounds.due()).toHaveLength(placesPerRoundMax);
  const first = new Set(record());
  expect(first.size).toBe(placesPerRoundMax);
  report(drivers, 40.8, startMs + 1_000);
  const second = record();
  expect(second.slice(0, 10).every((driverId) => !first.has(driverId))).toBe(true);
  expect(second).toHaveLength(placesPerRoundMax);
});

test("a position that no table could hold does not hold up the others", () => {
  const { report, record } = setUp();
  report(["d-nan"], Number.NaN, startMs);
  report(["d-\0"], 40.7, startMs);
  report(["d-1"], 40.7, startMs);
  expect(record()).toEqual(["d-1"]);
});
