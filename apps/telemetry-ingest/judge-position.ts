/**
 * Whether one reported position may be believed, and why not.
 *
 * Pure: the last believed position and the time are given. A sequence that fell back while time went on is "lapsed":
 * right in a new shift and wrong in the old one, which only the coordinator knows.
 */
import type { ReportedPosition } from "@ridegrid/contracts";
import { PositionRejection } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { accuracyMaxMeters, positionAgeMaxMs, positionAheadMaxMs, speedMaxMps } from "./limits.ts";

/** Where a driver's reports stand. `receivedAtMs` is this process's corrected clock, `observedAtMs` the device's. */
export type Mark = { readonly sequence: number; readonly observedAtMs: number; readonly receivedAtMs: number };

export type ReceivedPosition = Mark & Omit<ReportedPosition, "sequence">;

export type Judgement = { readonly kind: "good" } | { readonly kind: "lapsed" } | { readonly kind: "rejected"; readonly reason: PositionRejection };

export function judgePosition(received: ReceivedPosition, last: Mark | null): Judgement {
  const { sequence, accuracyM, observedAtMs, receivedAtMs } = received;
  if (!inRange(received) || !Number.isSafeInteger(sequence) || sequence < 0) return rejected(PositionRejection.OUT_OF_RANGE);
  if (accuracyM > accuracyMaxMeters) return rejected(PositionRejection.TOO_INACCURATE);
  if (observedAtMs < receivedAtMs - positionAgeMaxMs) return rejected(PositionRejection.TOO_OLD);
  if (observedAtMs > receivedAtMs + positionAheadMaxMs) return rejected(PositionRejection.IN_THE_FUTURE);
  if (last === null || (sequence > last.sequence && observedAtMs >= last.observedAtMs)) return good;
  // Seen later than the last one and yet numbered below it: a new shift counts from the start again.
  if (observedAtMs > last.observedAtMs) return lapsed;
  return rejected(PositionRejection.OUT_OF_ORDER);
}

const good: Judgement = { kind: "good" };
const lapsed: Judgement = { kind: "lapsed" };

/**
 * Whether a shift that began then is newer than the last believed position, which is of an older shift in that case.
 * A device ahead of time observes later than we receive; one that reports late is received after it observed.
 */
export function isNewShift(shiftStartedAtMs: number, last: Mark): boolean {
  return shiftStartedAtMs > Math.min(last.observedAtMs, last.receivedAtMs);
}

function inRange({ latitude, longitude, headingDegrees, speedMps, accuracyM, observedAtMs }: ReceivedPosition): boolean {
  // Comparisons with NaN are false.
  const onGlobe = Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180;
  return (
    onGlobe && headingDegrees >= 0 && headingDegrees <= 360 && speedMps >= 0 && speedMps <= speedMaxMps && accuracyM >= 0 && Math.abs(observedAtMs) < Infinity
  );
}

function rejected(reason: PositionRejection): Judgement {
  return { kind: "rejected", reason };
}
