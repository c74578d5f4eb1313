/**
 * H3 cells of a market's points, by the small square that a point lies in: an encode costs a microsecond, which 100,000
 * drivers each few seconds would feel. All of a square count in the cell of its center, so a point beside a border may
 * count beyond it: by no more than a position is wrong anyway.
 */
import { cellAt, type LocalPoint, type Projection } from "@ridegrid/spatial";
import { cellSquareMeters, cellSquaresKeptMax, marketCellResolution } from "./limits.ts";

export interface CellIndex {
  /** A small number for the cell, the same until the next `trim`. */
  at(x: number, y: number): number;
  name(cell: number): string;
  /** Call between counts: lets go of what is beyond the bound. */
  trim(): void;
}

export function createCellIndex(projection: Projection, squaresMax = cellSquaresKeptMax): CellIndex {
  const ofSquare = new Map<number, number>();
  const numbers = new Map<string, number>();
  const names: string[] = [];

  function encode(center: LocalPoint): number {
    const name = cellAt(projection.toLatLng(center), marketCellResolution);
    const known = numbers.get(name) ?? names.push(name) - 1;
    numbers.set(name, known);
    return known;
  }

  return {
    at(x, y) {
      const column = Math.floor(x / cellSquareMeters);
      const row = Math.floor(y / cellSquareMeters);
      const square = row * squaresAcrossMax + column;
      const known = ofSquare.get(square);
      if (known !== undefined) return known;
      const cell = encode({ x: (column + 0.5) * cellSquareMeters, y: (row + 0.5) * cellSquareMeters });
      ofSquare.set(square, cell);
      return cell;
    },
    name: (cell) => names[cell] ?? "",
    trim() {
      if (ofSquare.size <= squaresMax) return;
      ofSquare.clear();
      numbers.clear();
      names.length = 0;
    },
  };
}

/** More than fit around the Earth, so that no two squares share a number. */
const squaresAcrossMax = 2 ** 21;
