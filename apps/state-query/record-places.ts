/**
 * Records where drivers are in the tables, so that they can be found by place: whoever folds the region's first
 * partition does it for the region. A driver that stands still is recorded seldom, and a round is bounded: those
 * whose record is oldest go first.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { haversineMeters } from "@ridegrid/domain";
import type { ProcessContext } from "@ridegrid/runtime";
import type { DriverPlace, DriverPlaces } from "./driver-places.ts";
import type { LastPosition, LastPositions } from "./last-positions.ts";
import {
  placeForgottenMs,
  placeMovedMinMeters,
  placeRepeatMs,
  placesForgottenEveryMs,
  placesPerRoundMax,
  placesRecordedEveryMs,
  positionsMax,
} from "./limits.ts";
import { retryForever } from "./retry-forever.ts";

export type RecordPlacesDeps = {
  readonly context: ProcessContext;
  readonly positions: LastPositions;
  readonly places: DriverPlaces;
  /** Whether this process records now. */
  readonly isOurs: () => boolean;
};

/** Resolves when `signal` aborts. */
export async function recordPlaces({ context, positions, places, isOurs }: RecordPlacesDeps, signal: AbortSignal): Promise<void> {
  const rounds = createPlaceRounds(positions);
  let forgetAtMs = 0;
  const step = async (): Promise<void> => {
    await sleep(placesRecordedEveryMs, undefined, { signal, ref: false });
    if (!isOurs()) return rounds.restart();
    const due = rounds.due();
    await places.record(due);
    rounds.recorded(due);
    const nowMs = context.clock.nowMs();
    if (nowMs < forgetAtMs) return;
    await places.forget(nowMs - placeForgottenMs);
    forgetAtMs = nowMs + placesForgottenEveryMs;
  };
  const onFailure = (error: unknown, attempt: number): void => {
    if (attempt === 1) context.logger.warn({ error }, "cannot record where drivers are; trying again");
  };
  await retryForever(step, { random: context.random, signal, onFailure });
}

export interface PlaceRounds {
  /** What is worth recording now, at most a round's worth. */
  due(): readonly DriverPlace[];
  recorded(places: readonly DriverPlace[]): void;
  /** Forgets what was recorded: somebody else does it now. */
  restart(): void;
}

export function createPlaceRounds(positions: LastPositions): PlaceRounds {
  const known = new Map<string, LastPosition>();

  return {
    due() {
      const due: DriverPlace[] = [];
      const recordedAtMs: number[] = [];
      // One look at what is recorded of each driver: of 100,000 it is most of the time that this takes.
      for (const [driverId, position] of positions.newest(positionsMax)) {
        const recorded = known.get(driverId);
        if (!isStorable(driverId, position) || !isDue(recorded, position)) continue;
        due.push({ driverId, position });
        recordedAtMs.push(recorded?.observedAtMs ?? 0);
      }
      return due.length <= placesPerRoundMax ? due : oldest(due, recordedAtMs);
    },
    recorded(places) {
      for (const { driverId, position } of places) known.set(driverId, position);
      // Drivers gone silent are among them; to record the others once more is cheaper than to look for those.
      if (known.size > positionsMax) known.clear();
    },
    restart: () => known.clear(),
  };
}

function isDue(recorded: LastPosition | undefined, now: LastPosition): boolean {
  if (recorded === undefined) return true;
  if (recorded.observedAtMs === now.observedAtMs) return false;
  return now.observedAtMs - recorded.observedAtMs >= placeRepeatMs || haversineMeters(recorded, now) >= placeMovedMinMeters;
}

/** Ingest lets nothing else through; one that slipped past must not hold up the round. */
function isStorable(driverId: string, { latitude, longitude }: LastPosition): boolean {
  return Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 && !driverId.includes("\0");
}

/** A round's worth of those recorded longest ago. */
function oldest(due: readonly DriverPlace[], recordedAtMs: readonly number[]): readonly DriverPlace[] {
  const last = Float64Array.from(recordedAtMs).toSorted()[placesPerRoundMax - 1] ?? 0;
  const older = due.filter((_, index) => (recordedAtMs[index] ?? 0) < last);
  const asOld = due.filter((_, index) => recordedAtMs[index] === last);
  return [...older, ...asOld].slice(0, placesPerRoundMax);
}
