/** The versions of a ride are dense: what is next applies, what was is dropped, what is beyond a gap waits. */
import { describe, expect, test } from "bun:test";
import { createSeededRandom, createSequentialIds } from "@ridegrid/testing";
import type { Ride } from "@ridegrid/domain";
import { type City, createCity, offerAccepted, offerSent } from "./city.fixture.ts";
import { foldRide, type FoldState } from "./fold-ride.ts";
import { decodeRideRecord, type RideRecord } from "./ride-record.ts";

const nothing: FoldState = { ride: null, parked: [] };

function givenRide(): { readonly city: City; readonly ride: Ride; readonly records: readonly RideRecord[] } {
  const ids = createSequentialIds(1);
  const city = createCity({ random: createSeededRandom(1), ids });
  city.goOnline("d-1");
  const { rideId, change } = city.request("r-1");
  const changes = [
    change,
    city.happen(rideId, offerSent(ids), "d-1"),
    city.happen(rideId, offerAccepted(city.ride(rideId))),
    city.happen(rideId, { type: "DriverArrived", noShowAtMs: 1, noShowDeadlineMs: 2 }),
    city.happen(rideId, { type: "RideStarted" }),
    city.happen(rideId, { type: "RideCompleted", by: "driver", note: "" }),
  ];
  const records = changes.flatMap(({ ride }, offset) =>
    ride === null ? [] : decodeRideRecord(ride.value, { topic: "ewr.ride-events.v1", partition: 0, offset, appendedAtMs: 0, outboxId: 0 }),
  );
  return { city, ride: city.ride(rideId), records };
}

const versions = (records: readonly RideRecord[]): readonly number[] => records.map((record) => record.event.version);

describe("foldRide()", () => {
  test("applies versions in order and ends at the ride that the writer has", () => {
    const { ride, records } = givenRide();
    const outcome = foldRide(nothing, records);
    expect(outcome.ride).toEqual(ride);
    expect(versions(outcome.applied)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(outcome.parked).toEqual([]);
  });

  test("drops what is there already", () => {
    const { ride, records } = givenRide();
    const once = foldRide(nothing, records);
    const twice = foldRide({ ride: once.ride, parked: [] }, records);
    expect(twice.ride).toEqual(ride);
    expect(twice.applied).toEqual([]);
    expect(twice.duplicates).toBe(6);
    expect(
      foldRide(
        nothing,
        records.flatMap((record) => [record, record]),
      ).ride,
    ).toEqual(ride);
  });

  test("parks what is beyond a gap, and applies it when the missing event comes late", () => {
    const { ride, records } = givenRide();
    const parked = foldRide(
      nothing,
      records.filter((record) => record.event.version !== 3),
    );
    expect(parked.ride?.version).toBe(2);
    expect(versions(parked.parked)).toEqual([4, 5, 6]);
    const whole = foldRide(
      { ride: parked.ride, parked: parked.parked },
      records.filter((record) => record.event.version === 3),
    );
    expect(whole.ride).toEqual(ride);
    expect(versions(whole.applied)).toEqual([3, 4, 5, 6]);
    expect(whole.unparked).toEqual([4, 5, 6]);
  });

  test("does not park the same event twice", () => {
    const { records } = givenRide();
    const last = records.slice(-1);
    const first = foldRide(nothing, last);
    const second = foldRide({ ride: null, parked: first.parked }, last);
    expect(second.parked).toEqual([]);
    expect(second.duplicates).toBe(1);
  });

  test("puts an event that breaks a rule aside, and lets the rest wait behind it", () => {
    const { records } = givenRide();
    const broken = records.map((record) => (record.event.version === 2 ? { ...record, event: { ...record.event, driverId: null } } : record));
    const outcome = foldRide(nothing, broken);
    expect(versions(outcome.dead.map((one) => one.record))).toEqual([2]);
    expect(outcome.ride?.version).toBe(1);
    expect(versions(outcome.parked)).toEqual([3, 4, 5, 6]);
  });

  test("ends at the same ride whatever the order of arrival", () => {
    const { ride, records } = givenRide();
    for (let seed = 1; seed <= 200; seed++) {
      const random = createSeededRandom(seed);
      let state = nothing;
      const shuffled = [...records, ...records].map((record) => ({ record, at: random.next() })).toSorted((left, right) => left.at - right.at);
      for (const { record } of shuffled) {
        const { ride: folded, parked, unparked } = foldRide(state, [record]);
        const still = state.parked.filter((one) => !unparked.includes(one.event.version));
        state = { ride: folded, parked: [...still, ...parked] };
      }
      expect({ seed, ...state }).toEqual({ seed, ride, parked: [] });
    }
  });
});
