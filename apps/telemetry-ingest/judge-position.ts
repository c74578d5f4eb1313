/**
 * Whether one reported position may be believed, and why not.
 *
 * Pure: the last believed position and the time are given. A sequence that fell back while time went on is "lapsed":
 * right in a new shift and wrong in the old one, which only the coordinator knows.
 */
import { PositionRejection, type Position } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { msFromTimestamp } from "@ridegrid/contracts";
import type { LatLng } from "@ridegrid/domain";
import { accuracyMaxMeters, positionAgeMaxMs, positionAheadMaxMs, speedMaxMps } from "./limits.ts";

/** Where a driver's reports stand. `receivedAtMs` is this process's corrected clock, `observedAtMs` the device's. */
export type Mark = { readonly sequence: number; readonly observedAtMs: number; readonly receivedAtMs: number };

export type GoodPosition = Mark & { readonly location: LatLng; readonly headingDegrees: number; readonly speedMps: number; readonly accuracyM: number };

export type Judgement =
  | { readonly kind: "good"; readonly position: GoodPosition }
  | { readonly kind: "lapsed"; readonly position: GoodPosition }
  | { readonly kind: "rejected"; readonly reason: PositionRejection };

export function judgePosition(position: Position, last: Mark | null, nowMs: number): Judgement {
  const { location, headingDegrees, speedMps, accuracyM } = position;
  const observedAtMs = msFromTimestamp(position.observeTime);
  const sequence = Number(position.sequence);
  if (location === undefined || observedAtMs === null || !inRange(location, headingDegrees, speedMps) || !Number.isSafeInteger(sequence) || sequence < 0) {
    return rejected(PositionRejection.OUT_OF_RANGE);
  }
  if (!(accuracyM >= 0)) return rejected(PositionRejection.OUT_OF_RANGE);
  if (accuracyM > accuracyMaxMeters) return rejected(PositionRejection.TOO_INACCURATE);
  if (observedAtMs < nowMs - positionAgeMaxMs) return rejected(PositionRejection.TOO_OLD);
  if (observedAtMs > nowMs + positionAheadMaxMs) return rejected(PositionRejection.IN_THE_FUTURE);
  const { latitude, longitude } = location;
  const good: GoodPosition = { sequence, observedAtMs, receivedAtMs: nowMs, location: { latitude, longitude }, headingDegrees, speedMps, accuracyM };
  if (last === null || (sequence > last.sequence && observedAtMs >= last.observedAtMs)) return { kind: "good", position: good };
  // Seen later than the last one and yet numbered below it: a new shift counts from the start again.
  if (observedAtMs > last.observedAtMs) return { kind: "lapsed", position: good };
  return rejected(PositionRejection.OUT_OF_ORDER);
}

/**
 * Whether a shift that began then is newer than the last believed position, which is of an older shift in that case.
 * A device ahead of time observes later than we receive; one that reports late is received after it observed.
 */
export function isNewShift(shiftStartedAtMs: number, last: Mark): boolean {
  return shiftStartedAtMs > Math.min(last.observedAtMs, last.receivedAtMs);
}

function inRange({ latitude, longitude }: LatLng, headingDegrees: number, speedMps: number): boolean {
  // Comparisons with NaN are false.
  return Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 && headingDegrees >= 0 && headingDegrees <= 360 && speedMps >= 0 && speedMps <= speedMaxMps;
}

function rejected(reason: PositionRejection): Judgement {
  return { kind: "rejected", reason };
}
