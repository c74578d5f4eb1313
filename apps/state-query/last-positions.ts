/**
 * Where each driver was last seen. Memory only, refilled from the last minute of telemetry; bounded.
 *
 * A driver never moves backwards: later by observe time wins, then by sequence.
 */
import type { LatLng } from "@ridegrid/domain";
import type { PositionBatch } from "@ridegrid/contracts/gen/event/v1/events_pb";

export type LastPosition = LatLng & { readonly headingDegrees: number; readonly observedAtMs: number; readonly sequence: bigint };

export interface LastPositions {
  get(driverId: string): LastPosition | undefined;
  /** Answers how many drivers moved. Positions observed after `latestMs` are dropped. */
  apply(batch: PositionBatch, latestMs: number): number;
  /** At most so many drivers, the ones that moved last, in the order in which they did. */
  newest(limit: number): readonly (readonly [driverId: string, position: LastPosition])[];
  size(): number;
}

/** Linked in order of the last change: moving one to the end costs no change of the map. */
type Entry = { readonly driverId: string; position: LastPosition; older: Entry | null; newer: Entry | null };

export function createLastPositions({ max }: { readonly max: number }): LastPositions {
  const entries = new Map<string, Entry>();
  let oldest: Entry | null = null;
  let newest: Entry | null = null;

  function unlink({ older, newer }: Entry): void {
    if (older === null) oldest = newer;
    else older.newer = newer;
    if (newer === null) newest = older;
    else newer.older = older;
  }

  function append(entry: Entry): void {
    entry.older = newest;
    entry.newer = null;
    if (newest === null) oldest = entry;
    else newest.newer = entry;
    newest = entry;
  }

  function put(driverId: string, known: Entry | undefined, position: LastPosition): void {
    const entry = known ?? { driverId, position, older: null, newer: null };
    if (known === undefined) entries.set(driverId, entry);
    else unlink(known);
    entry.position = position;
    append(entry);
  }

  return {
    get: (driverId) => entries.get(driverId)?.position,
    apply(batch, latestMs) {
      let moved = 0;
      for (const [row, driverId] of batch.driverIds.entries()) {
        const position = positionAt(batch, row);
        const known = entries.get(driverId);
        if (position === null || position.observedAtMs > latestMs || !isNewer(position, known?.position)) continue;
        put(driverId, known, position);
        moved++;
      }
      while (entries.size > max && oldest !== null) {
        entries.delete(oldest.driverId);
        unlink(oldest);
      }
      return moved;
    },
    newest(limit) {
      const last: (readonly [string, LastPosition])[] = [];
      for (let entry = newest; entry !== null && last.length < limit; entry = entry.older) last.push([entry.driverId, entry.position]);
      return last.toReversed();
    },
    size: () => entries.size,
  };
}

function isNewer(position: LastPosition, known: LastPosition | undefined): boolean {
  if (known === undefined || position.observedAtMs > known.observedAtMs) return true;
  return position.observedAtMs === known.observedAtMs && position.sequence > known.sequence;
}

/** Null where the columns are not equally long: such a row has no place. */
function positionAt(batch: PositionBatch, row: number): LastPosition | null {
  const latitude = batch.latitudes[row];
  const longitude = batch.longitudes[row];
  const observed = batch.observeTimesMs[row];
  const sequence = batch.sequences[row];
  if (latitude === undefined || longitude === undefined || observed === undefined || sequence === undefined) return null;
  return { latitude, longitude, headingDegrees: batch.headingsDegrees[row] ?? 0, observedAtMs: Number(observed), sequence };
}
