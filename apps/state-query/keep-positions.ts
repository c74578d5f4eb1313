/**
 * Keeps the last positions in the shared cache, one value for the region, so that a process that starts shows drivers
 * before it has read the last minute of telemetry. Lost or old, nothing is missing: the telemetry says it again.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { PositionBatchSchema } from "@ridegrid/contracts/gen/event/v1/events_pb";
import type { Clock } from "@ridegrid/domain";
import type { LastPositions } from "./last-positions.ts";
import { positionFutureMaxMs, positionShownMaxMs, positionsKeptEveryMs, positionsKeptMax } from "./limits.ts";
import type { ReadCache } from "./read-cache.ts";

export type KeepPositionsDeps = { readonly cache: ReadCache; readonly clock: Clock; readonly region: string; readonly positions: LastPositions };

/** Resolves when `signal` aborts. */
export async function keepPositions(deps: KeepPositionsDeps, signal: AbortSignal): Promise<void> {
  await recallPositions(deps);
  while (!signal.aborted) {
    await sleep(positionsKeptEveryMs, undefined, { signal, ref: false }).catch(() => {});
    if (!signal.aborted) await savePositions(deps);
  }
}

export async function savePositions({ cache, clock, region, positions }: KeepPositionsDeps): Promise<void> {
  const rows = positions.newest(positionsKeptMax);
  if (rows.length === 0) return;
  const batch = create(PositionBatchSchema, {
    driverIds: rows.map(([driverId]) => driverId),
    sequences: rows.map(([, { sequence }]) => sequence),
    latitudes: rows.map(([, { latitude }]) => latitude),
    longitudes: rows.map(([, { longitude }]) => longitude),
    headingsDegrees: rows.map(([, { headingDegrees }]) => headingDegrees),
    observeTimesMs: rows.map(([, { observedAtMs }]) => BigInt(observedAtMs)),
  });
  const value = Buffer.from(toBinary(PositionBatchSchema, batch)).toString("base64");
  await cache.put(keyOf(region), { version: Math.floor(clock.nowMs()), value }, positionShownMaxMs);
}

/** Answers how many drivers it put on the map. What another release wrote puts none. */
export async function recallPositions({ cache, clock, region, positions }: KeepPositionsDeps): Promise<number> {
  const cached = await cache.get(keyOf(region));
  if (cached === null) return 0;
  try {
    return positions.apply(fromBinary(PositionBatchSchema, Buffer.from(cached.value, "base64")), clock.nowMs() + positionFutureMaxMs);
  } catch {
    return 0;
  }
}

function keyOf(region: string): string {
  return `${region}:positions`;
}
