/**
 * Which H3 cell a point lies in, remembered by small squares of a fixed grid: a lookup in place of H3's trigonometry,
 * which costs a microsecond and is asked for each position.
 *
 * A square is remembered only when its four corners lie in one cell: cells are convex, so that the whole square does.
 * Points of any other square are asked of H3 each time. Bounded: when it is full it starts over.
 */
import type { LatLng } from "@ridegrid/domain";
import { cellSquaresMax, squaresPerDegree } from "./limits.ts";

export type CellAt = (latitude: number, longitude: number) => string;

/** The point must be on the globe. */
export function rememberSquares(cellAt: CellAt): (point: LatLng) => string {
  const cells = new Map<number, string | null>();

  /** Null when the square lies in more than one cell. */
  function cellOf(row: number, column: number): string | null {
    const at = (dRow: number, dColumn: number): string => cellAt((row + dRow) / squaresPerDegree - 90, (column + dColumn) / squaresPerDegree - 180);
    const cell = at(0, 0);
    return [at(0, 1), at(1, 0), at(1, 1)].every((other) => other === cell) ? cell : null;
  }

  return ({ latitude, longitude }) => {
    const row = Math.floor((latitude + 90) * squaresPerDegree);
    const column = Math.floor((longitude + 180) * squaresPerDegree);
    const key = row * columns + column;
    let cell = cells.get(key);
    if (cell === undefined) {
      if (cells.size >= cellSquaresMax) cells.clear();
      cells.set(key, (cell = cellOf(row, column)));
    }
    return cell ?? cellAt(latitude, longitude);
  };
}

/** One more than a turn of the globe has, for the point at exactly 180°. */
const columns = 360 * squaresPerDegree + 1;
