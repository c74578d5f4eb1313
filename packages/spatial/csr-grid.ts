/**
 * A uniform grid in compressed sparse rows, rebuilt from scratch by a counting sort, for the nearest of many points.
 *
 * `rebuild` takes the points that are eligible now; `nearest` walks rings of cells outward, each full row of a ring
 * one contiguous scan, and stops at the exact lower bound on everything not yet seen: its answer equals brute force.
 * Between rebuilds the answer is that of the last rebuild, without what was taken out since.
 */
import { cellEdgeMinMeters, cellEdgePerSpacing, cellsPerPointMax } from "./limits.ts";
import type { LocalPoint } from "./projection.ts";

export type Positions = { readonly x: Float32Array; readonly y: Float32Array };

/** Filled by `nearest`, nearest first; only the first `count` entries mean anything. Reused between calls. */
export type Neighbors = { count: number; readonly slots: Int32Array; readonly squaredMeters: Float64Array };

export interface CsrGrid {
  /** Points found eligible by the last rebuild. */
  readonly size: number;
  rebuild(positions: Positions, slotEnd: number, eligible: (slot: number) => boolean): void;
  /** Whether the slot's point is still to be found. */
  has(slot: number): boolean;
  /** Until the next rebuild. A slot that is not there is none of it. */
  take(slot: number): void;
  /** The `found.slots.length` nearest points within `radiusMeters` (inclusive). */
  nearest(from: LocalPoint, radiusMeters: number, found: Neighbors): void;
}

export function createNeighbors(k: number): Neighbors {
  return { count: 0, slots: new Int32Array(k), squaredMeters: new Float64Array(k) };
}

export function createCsrGrid(): CsrGrid {
  let layout = layoutOf(emptyBox, 0);
  let columns = emptyColumns(0);
  let rowStarts = new Int32Array(2);

  return {
    get size() {
      return columns.count;
    },
    rebuild(positions, slotEnd, eligible) {
      columns = gather(positions, slotEnd, eligible, columns);
      layout = layoutOf(boxOf(columns), columns.count);
      const cells = layout.columns * layout.rows;
      if (rowStarts.length < cells + 1) rowStarts = new Int32Array(cells + 1);
      countingSort(columns, layout, rowStarts);
    },
    has: (slot) => placeOf(columns, slot) >= 0,
    take(slot) {
      const place = placeOf(columns, slot);
      // Farther than any radius: no list and no row start changes.
      if (place >= 0) columns.x[place] = Infinity;
    },
    nearest(from, radiusMeters, found) {
      found.count = 0;
      if (columns.count > 0 && found.slots.length > 0) walkRings({ layout, columns, rowStarts }, from, radiusMeters, found);
    },
  };
}

type Layout = { readonly x0: number; readonly y0: number; readonly edge: number; readonly columns: number; readonly rows: number };
type Box = { readonly x0: number; readonly y0: number; readonly x1: number; readonly y1: number };
/** `slots`, `x` and `y` are sorted by cell; the unsorted ones and `cells` are the sort's working space. */
type Columns = {
  count: number;
  readonly slots: Int32Array;
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly unsorted: Int32Array;
  readonly unsortedX: Float32Array;
  readonly unsortedY: Float32Array;
  /** Once sorted: by slot, its place among the sorted. */
  readonly cells: Int32Array;
};
type Index = { readonly layout: Layout; readonly columns: Columns; readonly rowStarts: Int32Array };

const emptyBox: Box = { x0: 0, y0: 0, x1: 0, y1: 0 };

function emptyColumns(length: number): Columns {
  const floats = (): Float32Array => new Float32Array(length);
  const ints = (): Int32Array => new Int32Array(length);
  return { count: 0, slots: ints(), x: floats(), y: floats(), unsorted: ints(), unsortedX: floats(), unsortedY: floats(), cells: ints() };
}

function gather(positions: Positions, slotEnd: number, eligible: (slot: number) => boolean, old: Columns): Columns {
  const columns = old.slots.length >= slotEnd ? old : emptyColumns(slotEnd * 2);
  let count = 0;
  for (let slot = 0; slot < slotEnd; slot++) {
    if (!eligible(slot)) continue;
    columns.unsorted[count] = slot;
    columns.unsortedX[count] = positions.x[slot]!;
    columns.unsortedY[count++] = positions.y[slot]!;
  }
  columns.count = count;
  return columns;
}

function boxOf({ count, unsortedX, unsortedY }: Columns): Box {
  if (count === 0) return emptyBox;
  let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let index = 0; index < count; index++) {
    const x = unsortedX[index]!;
    const y = unsortedY[index]!;
    if (x < x0) x0 = x;
    if (x > x1) x1 = x;
    if (y < y0) y0 = y;
    if (y > y1) y1 = y;
  }
  return { x0, y0, x1, y1 };
}

/** Cells about 1.4 × the mean spacing, wider where a long thin box would make more cells than the bound. */
function layoutOf({ x0, y0, x1, y1 }: Box, count: number): Layout {
  const width = x1 - x0;
  const height = y1 - y0;
  let edge = Math.max(cellEdgeMinMeters, cellEdgePerSpacing * Math.sqrt((width * height) / Math.max(1, count)));
  const cellsMax = Math.max(1, cellsPerPointMax * count);
  while (cellsAcross(width, edge) * cellsAcross(height, edge) > cellsMax) edge *= 2;
  return { x0, y0, edge, columns: cellsAcross(width, edge), rows: cellsAcross(height, edge) };
}

/** The far border belongs to a cell too, so that no point needs clamping. */
function cellsAcross(meters: number, edge: number): number {
  return Math.floor(meters / edge) + 1;
}

function countingSort(points: Columns, { x0, y0, edge, columns, rows }: Layout, rowStarts: Int32Array): void {
  const { count, unsorted, unsortedX, unsortedY, cells, slots, x, y } = points;
  rowStarts.fill(0, 0, columns * rows + 1);
  for (let index = 0; index < count; index++) {
    const cell = Math.floor((unsortedY[index]! - y0) / edge) * columns + Math.floor((unsortedX[index]! - x0) / edge);
    cells[index] = cell;
    rowStarts[cell]!++;
  }
  let sum = 0;
  for (let cell = 0; cell < columns * rows; cell++) rowStarts[cell] = sum += rowStarts[cell]!;
  rowStarts[columns * rows] = sum;
  // Backwards, so that points of one cell keep the order of their slots and a tick replays to the same answer.
  for (let index = count - 1; index >= 0; index--) {
    const place = --rowStarts[cells[index]!]!;
    const slot = unsorted[index]!;
    slots[place] = slot;
    // A slot is never below its index: this overwrites only what was read already.
    cells[slot] = place;
    x[place] = unsortedX[index]!;
    y[place] = unsortedY[index]!;
  }
}

/** -1 when the slot has no point, or had: what an earlier sort left behind names a place that is another's now. */
function placeOf({ count, slots, x, cells }: Columns, slot: number): number {
  const place = cells[slot] ?? -1;
  return place >= 0 && place < count && slots[place] === slot && x[place] !== Infinity ? place : -1;
}

function walkRings(index: Index, from: LocalPoint, radiusMeters: number, found: Neighbors): void {
  const { x0, y0, edge, columns, rows } = index.layout;
  const home = { x: from.x - x0, y: from.y - y0 };
  const homeColumn = clamp(Math.floor(home.x / edge), columns - 1);
  const homeRow = clamp(Math.floor(home.y / edge), rows - 1);
  const k = found.slots.length;
  for (let ring = 0; ; ring++) {
    const span = { left: homeColumn - ring, right: homeColumn + ring, bottom: homeRow - ring, top: homeRow + ring };
    scanRing(index, span, from, radiusMeters, found);
    // Rounding may put a point in the cell beside its own: a micrometre keeps the bound a bound.
    const bound = unseenBound(index.layout, span, home) - 1e-6;
    if (bound === Infinity || bound > radiusMeters) return;
    if (found.count === k && bound * bound >= found.squaredMeters[k - 1]! && bound > 0) return;
  }
}

type Span = { readonly left: number; readonly right: number; readonly bottom: number; readonly top: number };

/** The least distance of anything outside the span; a side that the grid does not go beyond hides nothing. */
function unseenBound({ edge, columns, rows }: Layout, { left, right, bottom, top }: Span, home: LocalPoint): number {
  const west = left <= 0 ? Infinity : home.x - left * edge;
  const east = right >= columns - 1 ? Infinity : (right + 1) * edge - home.x;
  const south = bottom <= 0 ? Infinity : home.y - bottom * edge;
  const north = top >= rows - 1 ? Infinity : (top + 1) * edge - home.y;
  return Math.min(west, east, south, north);
}

function scanRing(index: Index, span: Span, from: LocalPoint, radiusMeters: number, found: Neighbors): void {
  const { columns, rows } = index.layout;
  const { rowStarts } = index;
  const firstRow = Math.max(0, span.bottom);
  const lastRow = Math.min(rows - 1, span.top);
  const firstColumn = Math.max(0, span.left);
  const lastColumn = Math.min(columns - 1, span.right);
  for (let row = firstRow; row <= lastRow; row++) {
    const start = row * columns;
    if (row === span.bottom || row === span.top) {
      scan(index.columns, rowStarts[start + firstColumn]!, rowStarts[start + lastColumn + 1]!, from, radiusMeters, found);
      continue;
    }
    if (span.left >= 0) scan(index.columns, rowStarts[start + span.left]!, rowStarts[start + span.left + 1]!, from, radiusMeters, found);
    if (span.right < columns) scan(index.columns, rowStarts[start + span.right]!, rowStarts[start + span.right + 1]!, from, radiusMeters, found);
  }
}

/** Keeps the best k in order by insertion: k is small, and most points fail the first comparison. */
function scan(points: Columns, start: number, end: number, from: LocalPoint, radiusMeters: number, found: Neighbors): void {
  const { x, y, slots } = points;
  const { squaredMeters, slots: best } = found;
  const k = best.length;
  // Finite, so that it is below the distance of what was taken out.
  const limit = Math.min(Number.MAX_VALUE, radiusMeters * radiusMeters);
  for (let place = start; place < end; place++) {
    const dx = x[place]! - from.x;
    const dy = y[place]! - from.y;
    const squared = dx * dx + dy * dy;
    if (squared > limit || (found.count === k && squared >= squaredMeters[k - 1]!)) continue;
    let at = found.count < k ? found.count++ : k - 1;
    for (; at > 0 && squaredMeters[at - 1]! > squared; at--) {
      squaredMeters[at] = squaredMeters[at - 1]!;
      best[at] = best[at - 1]!;
    }
    squaredMeters[at] = squared;
    best[at] = slots[place]!;
  }
}

function clamp(value: number, max: number): number {
  return Math.max(0, Math.min(max, value));
}
