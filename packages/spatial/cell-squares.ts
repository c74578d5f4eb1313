/**
 * What belongs to the H3 cell that a point lies in, remembered by small squares of a fixed grid: a lookup in place of H3's
 * trigonometry, which costs a microsecond and is asked for each position.
 *
 * A square is remembered only when its four corners lie in one cell: cells are convex, so that the whole square does.
 * Points of any other square are asked of H3 each time. Bounded: when it is full it starts over.
 */
import type { LatLng } from "@ridegrid/domain";
import { cellSquaresMax, squaresPerDegree } from "./limits.ts";

export type CellAt = (latitude: number, longitude: number) => string;

type Square<T> = { readonly of: T } | "in more than one cell";

/** The point must be on the globe. */
export function rememberSquares<T>(cellAt: CellAt, ofCell: (cell: string) => T): (point: LatLng) => T {
  const squares = new Map<number, Square<T>>();

  function squareAt(row: number, column: number): Square<T> {
    const at = (dRow: number, dColumn: number): string => cellAt((row + dRow) / squaresPerDegree - 90, (column + dColumn) / squaresPerDegree - 180);
    const cell = at(0, 0);
    return [at(0, 1), at(1, 0), at(1, 1)].every((other) => other === cell) ? { of: ofCell(cell) } : "in more than one cell";
  }

  return ({ latitude, longitude }) => {
    const row = Math.floor((latitude + 90) * squaresPerDegree);
    const column = Math.floor((longitude + 180) * squaresPerDegree);
    const key = row * columns + column;
    let square = squares.get(key);
    if (square === undefined) {
      if (squares.size >= cellSquaresMax) squares.clear();
      squares.set(key, (square = squareAt(row, column)));
    }
    return square === "in more than one cell" ? ofCell(cellAt(latitude, longitude)) : square.of;
  };
}

/** One more than a turn of the globe has, for the point at exactly 180°. */
const columns = 360 * squaresPerDegree + 1;
