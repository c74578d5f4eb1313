/** Positions that a process left in the cache put drivers on the next one's map, and never move one backwards. */
import { expect, test } from "bun:test";
import { create } from "@bufbuild/protobuf";
import { PositionBatchSchema } from "@ridegrid/contracts/gen/event/v1/events_pb";
import { createManualClock } from "@ridegrid/testing";
import { recallPositions, savePositions } from "./keep-positions.ts";
import { createLastPositions, type LastPositions } from "./last-positions.ts";
import { positionShownMaxMs, positionsKeptMax } from "./limits.ts";
import { createMemoryReadCache } from "./read-cache.memory.ts";

const startMs = 1_800_000_000_000;

function moved(positions: LastPositions, drivers: readonly string[], atMs: number): void {
  const each = <T>(value: T): T[] => drivers.map(() => value);
  const columns = { sequences: each(7n), latitudes: each(40.7), longitudes: each(-74), headingsDegrees: each(90), observeTimesMs: each(BigInt(atMs)) };
  positions.apply(create(PositionBatchSchema, { driverIds: [...drivers], ...columns }), atMs);
}

test("a process that starts shows where drivers were when another one last said so", async () => {
  const clock = createManualClock(startMs);
  const cache = createMemoryReadCache({ clock, keysMax: 10 });
  const before = createLastPositions({ max: 100_000 });
  const drivers = Array.from({ length: positionsKeptMax + 10 }, (_, index) => `d-${index}`);
  moved(before, drivers, startMs);
  await savePositions({ cache, clock, region: "ewr", positions: before });

  const after = createLastPositions({ max: 100_000 });
  moved(after, ["d-5000"], startMs + 1_000);
  expect(await recallPositions({ cache, clock, region: "lhr", positions: after })).toBe(0);
  expect(await recallPositions({ cache, clock, region: "ewr", positions: after })).toBe(positionsKeptMax - 1);
  expect(after.get("d-5000")?.observedAtMs).toBe(startMs + 1_000);
  expect(after.get("d-5009")).toEqual({ latitude: 40.7, longitude: -74, headingDegrees: 90, observedAtMs: startMs, sequence: 7n });
  expect(after.get("d-0")).toBeUndefined();

  clock.advance(positionShownMaxMs);
  expect(await recallPositions({ cache, clock, region: "ewr", positions: createLastPositions({ max: 10 }) })).toBe(0);
});

test("what is no batch of positions puts nobody on the map", async () => {
  const clock = createManualClock(startMs);
  const cache = createMemoryReadCache({ clock, keysMax: 10 });
  await cache.put("ewr:positions", { version: 1, value: "/w==" }, 1_000);
  expect(await recallPositions({ cache, clock, region: "ewr", positions: createLastPositions({ max: 10 }) })).toBe(0);
});
