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

export function createLastPositions({ max }: { readonly max: number }): LastPositions {
  // In order of the last change, so that the first key is the driver silent longest.
  const positions = new Map<string, LastPosition>();

  return {
    get: (driverId) => positions.get(driverId),
    apply(batch, latestMs) {
      let moved = 0;
      for (const [row, driverId] of batch.driverIds.entries()) {
        const position = positionAt(batch, row);
        if (position === null || position.observedAtMs > latestMs || !isNewer(position, positions.get(driverId))) continue;
        positions.delete(driverId);
        positions.set(driverId, position);
        moved++;
      }
      for (const oldest of positions.keys()) {
        if (positions.size <= max) break;
        positions.delete(oldest);
      }
      return moved;
    },
    newest: (limit) => [...positions].slice(-limit),
    size: () => positions.size,
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
