/** A reader of a market gets what it misses, in one message, however far behind it is. */
import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "bun:test";
import { MarketCellSchema, MarketDriverSchema, MarketRideSchema } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { DriverStatus } from "@ridegrid/contracts/gen/type/v1/driver_pb";
import { RideStatus } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import { createSeededRandom } from "@ridegrid/testing";
import { marketGoneMax } from "./limits.ts";
import { createMarketBoard, type MarketFacts } from "./market-board.ts";

const driver = (driverId: string, latitude = 40) =>
  create(MarketDriverSchema, { driverId, status: DriverStatus.AVAILABLE, location: { latitude, longitude: -74 } });
const ride = (rideId: string, status = RideStatus.REQUESTED) => create(MarketRideSchema, { rideId, status });
const cell = (id: string, supply: number) => create(MarketCellSchema, { cell: id, supply, demand: 0, surgeMultiplier: 1 });
const facts = (fields: Partial<MarketFacts>): MarketFacts => ({ drivers: [], rides: [], ended: [], cells: [], truncated: false, ...fields });

describe("createMarketBoard()", () => {
  test("begins with a snapshot, then tells only what changed and what left", () => {
    const board = createMarketBoard();
    board.update(facts({ drivers: [driver("d-1"), driver("d-2")], rides: [ride("r-1")], cells: [cell("c-1", 2), cell("c-2", 1)] }));
    const seen = board.revision();
    expect(board.since(null)).toMatchObject({ snapshot: true, drivers: [{ driverId: "d-1" }, { driverId: "d-2" }], rides: [{ rideId: "r-1" }] });
    expect(board.since(seen)).toBeNull();
    board.update(facts({ drivers: [driver("d-1", 41)], ended: [ride("r-1", RideStatus.CANCELED)], cells: [cell("c-1", 2)] }));
    expect(board.since(seen)).toMatchObject({
      snapshot: false,
      drivers: [{ driverId: "d-1", location: { latitude: 41 } }],
      removedDriverIds: ["d-2"],
      rides: [{ rideId: "r-1", status: RideStatus.CANCELED }],
      cells: [{ cell: "c-2", supply: 0, demand: 0 }],
    });
  });

  test("an update without a change is none", () => {
    const board = createMarketBoard();
    expect(board.update(facts({ drivers: [driver("d-1")] }))).toBe(true);
    expect(board.update(facts({ drivers: [driver("d-1")] }))).toBe(false);
    expect(board.revision()).toBe(1);
  });

  test("a reader behind more departures than are remembered gets a snapshot", () => {
    const board = createMarketBoard();
    const many = Array.from({ length: marketGoneMax + 1 }, (_, index) => driver(`d-${index}`));
    board.update(facts({ drivers: many }));
    const seen = board.revision();
    board.update(facts({}));
    expect(board.since(seen)).toMatchObject({ snapshot: true, drivers: [] });
  });

  test("readers that look at random times all end at the truth (seed 7)", () => {
    const random = createSeededRandom(7);
    const board = createMarketBoard();
    const readers = Array.from({ length: 5 }, () => ({ seen: null as number | null, drivers: new Map<string, number>(), messages: 0 }));
    const read = (reader: (typeof readers)[number]): void => {
      const change = board.since(reader.seen);
      reader.seen = board.revision();
      if (change === null) return;
      reader.messages++;
      if (change.snapshot) reader.drivers.clear();
      for (const one of change.drivers) reader.drivers.set(one.driverId, one.location?.latitude ?? 0);
      for (const id of change.removedDriverIds) reader.drivers.delete(id);
    };
    const truth = new Map<string, number>();
    for (let step = 0; step < 500; step++) {
      for (let change = 0; change < 3; change++) {
        const id = `d-${Math.floor(random.next() * 40)}`;
        if (random.next() < 0.3) truth.delete(id);
        else truth.set(id, Math.floor(random.next() * 5));
      }
      board.update(facts({ drivers: [...truth].map(([id, latitude]) => driver(id, latitude)) }));
      for (const reader of readers) if (random.next() < 0.2) read(reader);
    }
    for (const reader of readers) {
      read(reader);
      expect([...reader.drivers].toSorted()).toEqual([...truth].toSorted());
      expect(reader.messages).toBeLessThan(200);
    }
  });
});
