/** Vehicles: how fast they go, where they are on the way, and where they stop. */
import { describe, expect, test } from "bun:test";
import { displaced, distanceMeters, headingDegrees } from "./geography.ts";
import { createLeg, parkedAt, placeOn, travelSeconds } from "./movement.ts";

const from = { latitude: 40.75, longitude: -73.98 };
const east = displaced(from, { north: 0, east: 2_800 });

describe("movement", () => {
  test("2.8 km east take six minutes and the detour at 28 km/h, and a speedup divides that", () => {
    expect(distanceMeters(from, east)).toBeWithin(2_799, 2_801);
    expect(travelSeconds(from, east)).toBeWithin(360 * 1.35 - 1, 360 * 1.35 + 1);
    const leg = createLeg(from, east, { startMs: 1_000, speedup: 20 });
    expect(leg.endMs - 1_000).toBeCloseTo((travelSeconds(from, east) * 1_000) / 20, 6);
  });

  test("placeOn() is at the start, half way and at the end, and stays there", () => {
    const leg = createLeg(from, east, { startMs: 0, speedup: 10 });
    expect(placeOn(leg, -5).location).toEqual(from);
    const half = placeOn(leg, leg.endMs / 2);
    expect(distanceMeters(from, half.location)).toBeWithin(1_399, 1_401);
    expect(half.moving).toBe(true);
    expect(half.headingDegrees).toBeWithin(89, 91);
    expect(placeOn(leg, leg.endMs)).toEqual({ location: east, headingDegrees: leg.headingDegrees, moving: false });
    expect(placeOn(leg, leg.endMs * 9).location).toEqual(east);
  });

  test("a leg of no length is over at once", () => {
    const leg = createLeg(from, from, { startMs: 500, speedup: 1 });
    expect(placeOn(leg, 500)).toEqual({ location: from, headingDegrees: leg.headingDegrees, moving: false });
    expect(placeOn(parkedAt(east, 0), 10).location).toEqual(east);
  });

  test("headingDegrees() turns clockwise from north", () => {
    const towards = (north: number, eastward: number): number => headingDegrees(from, displaced(from, { north, east: eastward }));
    expect(towards(100, 0)).toBeCloseTo(0, 3);
    expect(towards(0, 100)).toBeCloseTo(90, 3);
    expect(towards(-100, 0)).toBeCloseTo(180, 3);
    expect(towards(0, -100)).toBeCloseTo(270, 3);
  });
});
