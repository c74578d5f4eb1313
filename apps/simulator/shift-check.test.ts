/** What a driver's stream may say, and what it may not. */
import { expect, test } from "bun:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { WatchOffersResponseSchema } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { DriverStatus } from "@ridegrid/contracts/gen/type/v1/driver_pb";
import { RideStatus } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import { createShiftCheck } from "./shift-check.ts";
import { createWitness } from "./witness.ts";

type Message = MessageInitShape<typeof WatchOffersResponseSchema>;

function found(...messages: readonly Message[]): readonly string[] {
  const witness = createWitness();
  const check = createShiftCheck(witness, "d-1");
  for (const message of messages) check(create(WatchOffersResponseSchema, message));
  return witness.violations.map(({ invariant, detail }) => `${invariant} ${detail}`);
}

const shift = (version: number): Message => ({ cursor: `d.${version}`, update: { case: "driver", value: { status: DriverStatus.AVAILABLE } } });
const offer = (version: number, rideId: string): Message => ({ cursor: `d.${version}`, update: { case: "offer", value: { rideId } } });
const ride = (version: number, rideId: string, status: RideStatus, driverId = "d-1"): Message => ({
  cursor: `d.${version}`,
  update: { case: "ride", value: { rideId, status, driverId } },
});

test("a shift of one ride after the other is as it should be", () => {
  const first = [shift(1), offer(2, "r-1"), ride(3, "r-1", RideStatus.ASSIGNED), ride(4, "r-1", RideStatus.IN_PROGRESS), ride(5, "r-1", RideStatus.COMPLETED)];
  expect(found(...first, offer(6, "r-2"), ride(7, "r-2", RideStatus.ASSIGNED), ride(8, "r-2", RideStatus.REQUESTED, ""), offer(9, "r-3"))).toEqual([]);
});

test("an offer during a ride and a ride during a ride are violations", () => {
  expect(found(ride(3, "r-1", RideStatus.ASSIGNED), offer(4, "r-2"))).toEqual(['I2 driver "d-1" was offered ride "r-2" while on ride "r-1"']);
  expect(found(ride(3, "r-1", RideStatus.ASSIGNED), ride(4, "r-2", RideStatus.ASSIGNED))).toEqual([
    'I1 driver "d-1" was told of ride "r-2" while on ride "r-1"',
  ]);
});

test("a version left out is a violation, unless the message says that it starts anew", () => {
  expect(found(shift(1), offer(3, "r-1"))).toEqual(['I6 the stream of driver "d-1" skipped from version 1 to 3']);
  expect(found(ride(2, "r-1", RideStatus.ASSIGNED), { ...shift(9), reset: true }, { ...offer(9, "r-2"), cursor: "d.9.1" })).toEqual([]);
});
