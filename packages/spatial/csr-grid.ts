/**
 * A uniform grid in compressed sparse rows, rebuilt from scratch by a counting sort, for the nearest of many points.
 *
 * `rebuild` takes the slots that are eligible now; `nearest` walks rings of cells outward, each row of a ring one
 * contiguous scan, and stops at the exact lower bound on everything not yet seen: its answer equals brute force.
 * A point found is named by its place among the sorted, where all that is known of it stands in one cache line.
 */
import { boxSampleMax, cellEdgeMinMeters, cellEdgePerSpacing, cellsPerPointMax } from "./limits.ts";
import type { LocalPoint } from "./projection.ts";

/** By slot. */
export type Positions = { readonly x: Float32Array; readonly y: Float32Array };

/** Filled by `nearest`, nearest first, equally near ones by slot; only the first `count` entries mean anything. Reused between calls. */
export type Neighbors = { count: number; readonly places: Int32Array; readonly squaredMeters: Float64Array };

/** A place is good until the next rebuild, also when its point is taken. */
export interface CsrGrid {
  /** Points found eligible by the last rebuild. */
  readonly size: number;
  /** `eligible` has each slot once, and is not kept. */
  rebuild(from: Positions, eligible: Int32Array): void;
  slotAt(place: number): number;
  xAt(place: number): number;
  yAt(place: number): number;
  /** Whether the place's point is still to be found. */
  has(place: number): boolean;
  take(place: number): void;
  /** The `found.places.length` nearest points within `radiusMeters` (inclusive), as they were at the last rebuild, without those taken since. */
  nearest(from: LocalPoint, radiusMeters: number, found: Neighbors): void;
}

export function createNeighbors(k: number): Neighbors {
  return { count: 0, places: new Int32Array(k), squaredMeters: new Float64Array(k) };
}

export function createCsrGrid(): CsrGrid {
  let layout = layoutOf(emptyBox, 0);
  let points = emptyPoints(0);
  let rowStarts = new Int32Array(2);
  let size = 0;

  return {
    get size() {
      return size;
    },
    rebuild(from, eligible) {
      size = eligible.length;
      if (points.cells.length < size) points = emptyPoints(size * 2);
      layout = layoutOf(boxOf(from, eligible), size);
      const cells = layout.columns * layout.rows;
      if (rowStarts.length < cells + 1) rowStarts = new Int32Array(cells + 1);
      countingSort(from, eligible, { layout, points, rowStarts });
    },
    slotAt(place) {
      const slot = points.words[place * stride + slotWord]!;
      return slot < 0 ? ~slot : slot;
    },
    xAt: (place) => points.at[place * stride]!,
    yAt: (place) => points.at[place * stride + 1]!,
    has: (place) => points.words[place * stride + slotWord]! >= 0,
    take(place) {
      const word = place * stride + slotWord;
      if (points.words[word]! >= 0) points.words[word] = ~points.words[word]!;
    },
    nearest(from, radiusMeters, found) {
      found.count = 0;
      if (size > 0 && found.places.length > 0) walkRings({ layout, points, rowStarts }, from, radiusMeters, found);
    },
  };
}

/** The outermost cells reach on without end. */
type Layout = { readonly x0: number; readonly y0: number; readonly perMeter: number; readonly edge: number; readonly columns: number; readonly rows: number };
type Box = { readonly x0: number; readonly y0: number; readonly x1: number; readonly y1: number };
/**
 * Sorted by cell. A point's x, y and slot (its complement once taken) stand side by side, as the words
 * `stride * place` and on of one buffer seen twice.
 */
type Points = {
  readonly at: Float32Array;
  readonly words: Int32Array;
  /** While sorting: by rank among the eligible, its cell. */
  readonly cells: Int32Array;
};
type Index = { readonly layout: Layout; readonly points: Points; readonly rowStarts: Int32Array };

const stride = 3;
const slotWord = 2;
const emptyBox: Box = { x0: 0, y0: 0, x1: 0, y1: 0 };

function emptyPoints(length: number): Points {
  const words = new ArrayBuffer(length * stride * Float32Array.BYTES_PER_ELEMENT);
  return { at: new Float32Array(words), words: new Int32Array(words), cells: new Int32Array(length) };
}

/** Where all are but the outermost hundredth on each side, by a sample: one who drove far away must not make all cells wide. */
function boxOf({ x, y }: Positions, eligible: Int32Array): Box {
  if (eligible.length === 0) return emptyBox;
  const step = Math.ceil(eligible.length / boxSampleMax);
  const samples = Math.ceil(eligible.length / step);
  const [xs, ys] = [new Float32Array(samples), new Float32Array(samples)];
  for (let sample = 0; sample < samples; sample++) {
    const slot = eligible[sample * step]!;
    xs[sample] = x[slot]!;
    ys[sample] = y[slot]!;
  }
  xs.sort();
  ys.sort();
  const first = Math.floor(samples / 100);
  const last = samples - 1 - first;
  return { x0: xs[first]!, y0: ys[first]!, x1: xs[last]!, y1: ys[last]! };
}

/** Cells about 1.4 × the mean spacing, wider where a long thin box would make more cells than the bound. */
function layoutOf({ x0, y0, x1, y1 }: Box, count: number): Layout {
  const width = x1 - x0;
  const height = y1 - y0;
  let edge = Math.max(cellEdgeMinMeters, cellEdgePerSpacing * Math.sqrt((width * height) / Math.max(1, count)));
  const cellsMax = Math.max(1, cellsPerPointMax * count);
  while (cellsAcross(width, edge) * cellsAcross(height, edge) > cellsMax) edge *= 2;
  return { x0, y0, perMeter: 1 / edge, edge, columns: cellsAcross(width, edge), rows: cellsAcross(height, edge) };
}

function cellsAcross(meters: number, edge: number): number {
  return Math.floor(meters / edge) + 1;
}

/** The row or column of a point so many cells from the border. Cutting off in place of flooring, and before comparing, halves the sort's first pass. */
function within(cells: number, last: number): number {
  const whole = cells | 0;
  return whole < 0 ? 0 : whole > last ? last : whole;
}

function countingSort({ x, y }: Positions, eligible: Int32Array, { layout, points, rowStarts }: Index): void {
  const { x0, y0, perMeter, columns, rows } = layout;
  const { at, words, cells } = points;
  rowStarts.fill(0, 0, columns * rows + 1);
  for (let rank = 0; rank < eligible.length; rank++) {
    const slot = eligible[rank]!;
    const cell = within((y[slot]! - y0) * perMeter, rows - 1) * columns + within((x[slot]! - x0) * perMeter, columns - 1);
    cells[rank] = cell;
    rowStarts[cell]!++;
  }
  let sum = 0;
  for (let cell = 0; cell < columns * rows; cell++) rowStarts[cell] = sum += rowStarts[cell]!;
  rowStarts[columns * rows] = sum;
  for (let rank = eligible.length - 1; rank >= 0; rank--) {
    const word = --rowStarts[cells[rank]!]! * stride;
    const slot = eligible[rank]!;
    at[word] = x[slot]!;
    at[word + 1] = y[slot]!;
    words[word + slotWord] = slot;
  }
}

function walkRings(index: Index, from: LocalPoint, radiusMeters: number, found: Neighbors): void {
  const { x0, y0, perMeter, edge, columns, rows } = index.layout;
  const x = from.x - x0;
  const y = from.y - y0;
  const column = within(x * perMeter, columns - 1);
  const row = within(y * perMeter, rows - 1);
  // Finite, so that it is below what an infinite bound means.
  const radius = Math.min(radiusMeters, Number.MAX_VALUE);
  const limit = radius * radius;
  const k = found.places.length;
  scanRows(index, { left: column, right: column, bottom: row, top: row }, from, limit, found);
  for (let ring = 0; ; ring++) {
    const left = column - ring;
    const right = column + ring;
    const bottom = row - ring;
    const top = row + ring;
    // The least distance of anything beyond each side, infinite where there is nothing. Rounding may put a point in the cell beside its own: a micrometre keeps the bound a bound.
    const west = left <= 0 ? Infinity : x - left * edge - 1e-6;
    const east = right >= columns - 1 ? Infinity : (right + 1) * edge - x - 1e-6;
    const south = bottom <= 0 ? Infinity : y - bottom * edge - 1e-6;
    const north = top >= rows - 1 ? Infinity : (top + 1) * edge - y - 1e-6;
    const reach = found.count === k ? Math.sqrt(found.squaredMeters[k - 1]!) : radius;
    if (Math.min(west, east, south, north) > reach) return;
    const first = Math.max(0, left - 1);
    const last = Math.min(columns - 1, right + 1);
    const low = Math.max(0, bottom);
    const high = Math.min(rows - 1, top);
    if (south <= reach) scanRows(index, { left: first, right: last, bottom: bottom - 1, top: bottom - 1 }, from, limit, found);
    if (north <= reach) scanRows(index, { left: first, right: last, bottom: top + 1, top: top + 1 }, from, limit, found);
    if (west <= reach) scanRows(index, { left: left - 1, right: left - 1, bottom: low, top: high }, from, limit, found);
    if (east <= reach) scanRows(index, { left: right + 1, right: right + 1, bottom: low, top: high }, from, limit, found);
  }
}

type Span = { readonly left: number; readonly right: number; readonly bottom: number; readonly top: number };

/** Keeps the best k in order by insertion: k is small, and most points fail the first comparison. */
function scanRows({ layout, points, rowStarts }: Index, span: Span, { x, y }: LocalPoint, limit: number, found: Neighbors): void {
  const { at, words } = points;
  const { squaredMeters, places } = found;
  const k = places.length;
  let count = found.count;
  let worst = count === k ? squaredMeters[k - 1]! : limit;
  for (let row = span.bottom; row <= span.top; row++) {
    const cell = row * layout.columns;
    const end = rowStarts[cell + span.right + 1]!;
    for (let place = rowStarts[cell + span.left]!; place < end; place++) {
      const word = place * stride;
      const dx = at[word]! - x;
      const dy = at[word + 1]! - y;
      const squared = dx * dx + dy * dy;
      const slot = words[word + slotWord]!;
      if (squared > worst || slot < 0) continue;
      if (count === k && squared === worst && slot > words[places[k - 1]! * stride + slotWord]!) continue;
      let rank = count < k ? count++ : k - 1;
      for (; rank > 0; rank--) {
        const other = squaredMeters[rank - 1]!;
        if (other < squared || (other === squared && words[places[rank - 1]! * stride + slotWord]! < slot)) break;
        squaredMeters[rank] = other;
        places[rank] = places[rank - 1]!;
      }
      squaredMeters[rank] = squared;
      places[rank] = place;
      if (count === k) worst = squaredMeters[k - 1]!;
    }
  }
  found.count = count;
}
