/**
 * A uniform grid in compressed sparse rows, rebuilt from scratch by a counting sort, for the nearest of many points.
 *
 * `rebuild` takes the slots that are eligible now; `nearest` walks rings of cells outward, each full row of a ring
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
  /** `eligible` has each slot once, in rising order, and is not kept. */
  rebuild(positions: Positions, eligible: Int32Array): void;
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
  let points = emptyPoints(0);
  let rowStarts = new Int32Array(2);

  return {
    get size() {
      return points.count;
    },
    rebuild(positions, eligible) {
      points = roomFor(eligible, points);
      layout = layoutOf(boxOf(positions, eligible), points.count);
      const cells = layout.columns * layout.rows;
      if (rowStarts.length < cells + 1) rowStarts = new Int32Array(cells + 1);
      countingSort(positions, eligible, { layout, points, rowStarts });
    },
    has: (slot) => placeOf(points, slot) >= 0,
    take(slot) {
      const place = placeOf(points, slot);
      // Farther than any radius: no list and no row start changes.
      if (place >= 0) points.at[place * stride] = Infinity;
    },
    nearest(from, radiusMeters, found) {
      found.count = 0;
      if (points.count > 0 && found.slots.length > 0) walkRings({ layout, points, rowStarts }, from, radiusMeters, found);
    },
  };
}

type Layout = { readonly x0: number; readonly y0: number; readonly perMeter: number; readonly edge: number; readonly columns: number; readonly rows: number };
type Box = { readonly x0: number; readonly y0: number; readonly x1: number; readonly y1: number };
/**
 * Sorted by cell. A point's x, y and slot stand side by side, as the words `stride * place` and on of one buffer seen
 * twice: the sort writes a point into one cache line instead of three.
 */
type Points = {
  readonly count: number;
  readonly at: Float32Array;
  readonly slots: Int32Array;
  /** While sorting: by rank among the eligible, its cell. Then: by slot, its place among the sorted. */
  readonly cells: Int32Array;
};
type Index = { readonly layout: Layout; readonly points: Points; readonly rowStarts: Int32Array };

const stride = 4;
const slotWord = 2;
const emptyBox: Box = { x0: 0, y0: 0, x1: 0, y1: 0 };

function emptyPoints(length: number): Points {
  const words = new ArrayBuffer(length * stride * Float32Array.BYTES_PER_ELEMENT);
  return { count: 0, at: new Float32Array(words), slots: new Int32Array(words), cells: new Int32Array(length) };
}

function roomFor(eligible: Int32Array, old: Points): Points {
  const count = eligible.length;
  const slotEnd = (eligible[count - 1] ?? -1) + 1;
  return { ...(old.cells.length >= slotEnd ? old : emptyPoints(slotEnd * 2)), count };
}

function boxOf({ x: xs, y: ys }: Positions, eligible: Int32Array): Box {
  if (eligible.length === 0) return emptyBox;
  let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let rank = 0; rank < eligible.length; rank++) {
    const slot = eligible[rank]!;
    const x = xs[slot]!;
    const y = ys[slot]!;
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
  while (cellsAcross(width, 1 / edge) * cellsAcross(height, 1 / edge) > cellsMax) edge *= 2;
  const perMeter = 1 / edge;
  return { x0, y0, perMeter, edge, columns: cellsAcross(width, perMeter), rows: cellsAcross(height, perMeter) };
}

/** The far border belongs to a cell too, so that no point needs clamping. */
function cellsAcross(meters: number, perMeter: number): number {
  return Math.floor(meters * perMeter) + 1;
}

function countingSort({ x, y }: Positions, eligible: Int32Array, { layout, points, rowStarts }: Index): void {
  const { x0, y0, perMeter, columns, rows } = layout;
  const { at, slots, cells } = points;
  rowStarts.fill(0, 0, columns * rows + 1);
  for (let rank = 0; rank < eligible.length; rank++) {
    const slot = eligible[rank]!;
    // Nothing is left of or below the box: cutting off rounds down, and this pass takes half the time that it takes with Math.floor.
    const cell = (((y[slot]! - y0) * perMeter) | 0) * columns + (((x[slot]! - x0) * perMeter) | 0);
    cells[rank] = cell;
    rowStarts[cell]!++;
  }
  let sum = 0;
  for (let cell = 0; cell < columns * rows; cell++) rowStarts[cell] = sum += rowStarts[cell]!;
  rowStarts[columns * rows] = sum;
  // Backwards, so that points of one cell keep the order of their slots and a tick replays to the same answer.
  for (let rank = eligible.length - 1; rank >= 0; rank--) {
    const place = --rowStarts[cells[rank]!]!;
    const slot = eligible[rank]!;
    // A slot is never below its rank: this overwrites only what was read already.
    cells[slot] = place;
    const word = place * stride;
    at[word] = x[slot]!;
    at[word + 1] = y[slot]!;
    slots[word + slotWord] = slot;
  }
}

/** -1 when the slot has no point, or had: what an earlier sort left behind names a place that is another's now. */
function placeOf({ count, at, slots, cells }: Points, slot: number): number {
  const place = cells[slot] ?? -1;
  const word = place * stride;
  return place >= 0 && place < count && slots[word + slotWord] === slot && at[word] !== Infinity ? place : -1;
}

function walkRings(index: Index, from: LocalPoint, radiusMeters: number, found: Neighbors): void {
  const { x0, y0, perMeter, columns, rows } = index.layout;
  const home = { x: from.x - x0, y: from.y - y0 };
  const homeColumn = clamp(Math.floor(home.x * perMeter), columns - 1);
  const homeRow = clamp(Math.floor(home.y * perMeter), rows - 1);
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
      scan(index.points, rowStarts[start + firstColumn]!, rowStarts[start + lastColumn + 1]!, from, radiusMeters, found);
      continue;
    }
    if (span.left >= 0) scan(index.points, rowStarts[start + span.left]!, rowStarts[start + span.left + 1]!, from, radiusMeters, found);
    if (span.right < columns) scan(index.points, rowStarts[start + span.right]!, rowStarts[start + span.right + 1]!, from, radiusMeters, found);
  }
}

/** Keeps the best k in order by insertion: k is small, and most points fail the first comparison. */
function scan({ at: coordinates, slots }: Points, start: number, end: number, from: LocalPoint, radiusMeters: number, found: Neighbors): void {
  const { x, y } = from;
  const { squaredMeters, slots: best } = found;
  const k = best.length;
  // Finite, so that it is below the distance of what was taken out.
  const limit = Math.min(Number.MAX_VALUE, radiusMeters * radiusMeters);
  for (let place = start; place < end; place++) {
    const word = place * stride;
    const dx = coordinates[word]! - x;
    const dy = coordinates[word + 1]! - y;
    const squared = dx * dx + dy * dy;
    if (squared > limit || (found.count === k && squared >= squaredMeters[k - 1]!)) continue;
    let at = found.count < k ? found.count++ : k - 1;
    for (; at > 0 && squaredMeters[at - 1]! > squared; at--) {
      squaredMeters[at] = squaredMeters[at - 1]!;
      best[at] = best[at - 1]!;
    }
    squaredMeters[at] = squared;
    best[at] = slots[word + slotWord]!;
  }
}

function clamp(value: number, max: number): number {
  return Math.max(0, Math.min(max, value));
}
