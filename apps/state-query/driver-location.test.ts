/** Which of a driver's positions a rider is shown: the assigned driver's, newer than the last shown, seen a moment ago, and not too often. */
import { expect, test } from "bun:test";
import type { Ride } from "@ridegrid/domain";
import { loadRegions } from "@ridegrid/spatial";
import { createManualClock, createSeededRandom, createSequentialIds } from "@ridegrid/testing";
import regionsFile from "../../deploy/regions.json" with { type: "json" };
import { createCity, offerAccepted, offerSent } from "./city.fixture.ts";
import { createShownLocations } from "./driver-location.ts";
import type { LastPosition } from "./last-positions.ts";
import { locationIntervalMs, positionShownMaxMs } from "./limits.ts";

const startMs = 1_800_000_000_000;

/** A ride that "d-1" is asked for and then drives, and one stream's view of where "d-1" and "d-2" are. */
function setUp() {
  const ids = createSequentialIds(77);
  const city = createCity({ random: createSeededRandom(77), ids });
  city.goOnline("d-1");
  const { rideId } = city.request("r-1");
  city.happen(rideId, offerSent(ids), "d-1");
  const offered = city.ride(rideId);
  city.happen(rideId, offerAccepted(offered));
  const clock = createManualClock(startMs);
  const positions = new Map<string, LastPosition>();
  const shown = createShownLocations({ positions, regions: loadRegions(regionsFile), clock });
  const seen = (driver: string, latitude: number, observedAtMs: number): void =>
    void positions.set(driver, { latitude, longitude: -74, headingDegrees: 0, observedAtMs, sequence: 1n });
  return { clock, seen, offered, assigned: city.ride(rideId), next: (ride: Ride) => shown.next(ride)?.location?.latitude ?? null };
}

test("a driver who is only asked is not shown, nor one nobody knows the place of", () => {
  const { next, seen, offered, assigned } = setUp();
  expect(next(assigned)).toBeNull();
  seen("d-1", 40.71, startMs);
  expect(next(offered)).toBeNull();
  expect(next(assigned)).toBe(40.71);
});

test("a position is shown once, a newer one after a while, an older one never", () => {
  const { clock, next, seen, assigned } = setUp();
  seen("d-1", 40.71, startMs);
  expect(next(assigned)).toBe(40.71);
  seen("d-1", 40.72, startMs + 1);
  clock.advance(locationIntervalMs - 1);
  expect(next(assigned)).toBeNull();
  clock.advance(1);
  expect(next(assigned)).toBe(40.72);
  seen("d-1", 40.73, startMs);
  clock.advance(locationIntervalMs);
  expect(next(assigned)).toBeNull();
});

test("a position older than a minute says nothing about where the driver is", () => {
  const { next, seen, assigned } = setUp();
  seen("d-1", 40.71, startMs - positionShownMaxMs - 1);
  expect(next(assigned)).toBeNull();
  seen("d-1", 40.72, startMs - positionShownMaxMs);
  expect(next(assigned)).toBe(40.72);
});
