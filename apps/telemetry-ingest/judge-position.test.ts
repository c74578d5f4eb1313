/** Each reason to refuse a position, at its bound and just beyond. */
import { describe, expect, test } from "bun:test";
import { PositionRejection } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import fc from "fast-check";
import { isNewShift, judgePosition, type Mark, type ReceivedPosition } from "./judge-position.ts";

const nowMs = Date.UTC(2026, 0, 15, 12);
type Report = {
  readonly sequence?: number;
  readonly latitude?: number;
  readonly longitude?: number;
  readonly heading?: number;
  readonly speed?: number;
  readonly accuracy?: number;
  readonly observedAtMs?: number;
};

function report({
  sequence = 5,
  latitude = 40.75,
  longitude = -73.98,
  heading = 90,
  speed = 8,
  accuracy = 10,
  observedAtMs = nowMs,
}: Report = {}): ReceivedPosition {
  return { sequence, latitude, longitude, headingDegrees: heading, speedMps: speed, accuracyM: accuracy, observedAtMs, receivedAtMs: nowMs };
}

const mark = (sequence: number, observedAtMs: number): Mark => ({ sequence, observedAtMs, receivedAtMs: observedAtMs });

describe("judgePosition()", () => {
  const { OUT_OF_RANGE, TOO_INACCURATE, TOO_OLD, IN_THE_FUTURE, OUT_OF_ORDER } = PositionRejection;
  test.each<[string, Report, PositionRejection]>([
    ["a latitude above 90", { latitude: 90.01 }, OUT_OF_RANGE],
    ["a latitude that is no number", { latitude: Number.NaN }, OUT_OF_RANGE],
    ["a longitude that is infinite", { longitude: Number.NEGATIVE_INFINITY }, OUT_OF_RANGE],
    ["a heading above 360", { heading: 361 }, OUT_OF_RANGE],
    ["a heading that is no number", { heading: Number.NaN }, OUT_OF_RANGE],
    ["a negative speed", { speed: -1 }, OUT_OF_RANGE],
    ["a speed no car has", { speed: 151 }, OUT_OF_RANGE],
    ["an accuracy that is no number", { accuracy: Number.NaN }, OUT_OF_RANGE],
    ["a negative sequence", { sequence: -1 }, OUT_OF_RANGE],
    ["a sequence beyond whole numbers", { sequence: 2 ** 60 }, OUT_OF_RANGE],
    ["a sequence that is no number", { sequence: Number.NaN }, OUT_OF_RANGE],
    ["an accuracy above 200 m", { accuracy: 200.5 }, TOO_INACCURATE],
    ["an age above 60 s", { observedAtMs: nowMs - 60_001 }, TOO_OLD],
    ["a time more than 5 s ahead", { observedAtMs: nowMs + 5_001 }, IN_THE_FUTURE],
  ])("refuses %s", (_name, changes, reason) => {
    expect(judgePosition(report(changes), null)).toEqual({ kind: "rejected", reason });
  });

  test.each<[string, Report]>([
    ["the poles and the date line", { latitude: -90, longitude: 180 }],
    ["exactly 200 m, 60 s old", { accuracy: 200, observedAtMs: nowMs - 60_000 }],
    ["exactly 5 s ahead", { observedAtMs: nowMs + 5_000 }],
    ["the first sequence", { sequence: 0 }],
  ])("believes %s", (_name, changes) => {
    expect(judgePosition(report(changes), null).kind).toBe("good");
  });

  test("a missing place or time is out of range", () => {
    for (const missing of [{ latitude: Number.NaN, longitude: Number.NaN }, { observedAtMs: Number.NaN }])
      expect(judgePosition(report(missing), null)).toEqual({ kind: "rejected", reason: OUT_OF_RANGE });
  });

  test("never believes what would move a driver backwards; a sequence that fell back while time went on is lapsed", () => {
    const time = fc.integer({ min: nowMs - 30_000, max: nowMs });
    fc.assert(
      fc.property(fc.nat(20), time, fc.nat(20), time, (lastSequence, lastMs, sequence, observedAtMs) => {
        const judgement = judgePosition(report({ sequence, observedAtMs }), mark(lastSequence, lastMs));
        if (judgement.kind === "good") expect(sequence > lastSequence && observedAtMs >= lastMs).toBe(true);
        if (judgement.kind === "lapsed") expect(sequence <= lastSequence && observedAtMs > lastMs).toBe(true);
        if (judgement.kind === "rejected")
          expect([judgement.reason, observedAtMs < lastMs || (sequence <= lastSequence && observedAtMs === lastMs)]).toEqual([OUT_OF_ORDER, true]);
      }),
      { seed: 4 },
    );
  });
});

test("isNewShift() is right for a device ahead of time and for a report that came late", () => {
  const aheadOfTime = { sequence: 9, observedAtMs: nowMs + 4_000, receivedAtMs: nowMs };
  const late = { sequence: 9, observedAtMs: nowMs - 20_000, receivedAtMs: nowMs };
  expect([isNewShift(nowMs + 1_000, aheadOfTime), isNewShift(nowMs - 1_000, aheadOfTime)]).toEqual([true, false]);
  expect([isNewShift(nowMs - 10_000, late), isNewShift(nowMs - 30_000, late)]).toEqual([true, false]);
});
