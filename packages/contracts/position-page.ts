/**
 * Positions on their way from a gateway to an ingest: a page of them as both sides work with it, unjudged, and as bytes,
 * column by column. Columns are views of the bytes: none is encoded or decoded number by number.
 */
import { create } from "@bufbuild/protobuf";
import { type ForwardPositionsRequest, ForwardPositionsRequestSchema } from "./gen/ridegrid/mesh/v1/mesh_pb.ts";

/** A place or a time that is missing is no number. */
export type ReportedPosition = {
  readonly sequence: bigint;
  readonly latitude: number;
  readonly longitude: number;
  readonly headingDegrees: number;
  readonly speedMps: number;
  readonly accuracyM: number;
  readonly observedAtMs: number;
};

/** Positions of one driver that follow one another, with sequences below 2^53. `streamId` is empty for those of a unary call. */
export type PositionRun = { readonly driverId: string; readonly streamId: string; readonly positions: readonly ReportedPosition[] };

/** Little-endian, as all that Bun runs on is. */
export type PageColumns = {
  readonly sequences: Float64Array;
  readonly latitudes: Float64Array;
  readonly longitudes: Float64Array;
  readonly observedAtMs: Float64Array;
  readonly headingsDegrees: Float32Array;
  readonly speedsMps: Float32Array;
  readonly accuraciesM: Float32Array;
};

const rowBytes = 4 * Float64Array.BYTES_PER_ELEMENT + 3 * Float32Array.BYTES_PER_ELEMENT;

/** A page that is filled. */
export interface PageDraft {
  readonly rows: number;
  /** Keeps nothing of the run but its numbers. */
  add(run: PositionRun): void;
  /** Once, when all is added. */
  message(pageId: bigint): ForwardPositionsRequest;
}

const draftRows = 1_024;

export function createPageDraft(): PageDraft {
  const page = create(ForwardPositionsRequestSchema);
  let columns = columnsOf(draftRows);
  let rows = 0;
  return {
    get rows() {
      return rows;
    },
    add({ driverId, streamId, positions }) {
      if (rows + positions.length > columns.sequences.length) columns = copied(columns, rows, columnsOf(2 * (rows + positions.length)));
      page.ids += driverId + streamId;
      page.driverIdLengths.push(driverId.length);
      page.streamIdLengths.push(streamId.length);
      page.runLengths.push(positions.length);
      for (const position of positions) putRow(columns, rows++, position);
    },
    message(pageId) {
      page.pageId = pageId;
      page.rows = new Uint8Array(copied(columns, rows, columnsOf(rows)).sequences.buffer);
      return page;
    },
  };
}

function columnsOf(rows: number): PageColumns {
  return columnsOver(new ArrayBuffer(rows * rowBytes));
}

function copied(from: PageColumns, rows: number, to: PageColumns): PageColumns {
  to.sequences.set(from.sequences.subarray(0, rows));
  to.latitudes.set(from.latitudes.subarray(0, rows));
  to.longitudes.set(from.longitudes.subarray(0, rows));
  to.observedAtMs.set(from.observedAtMs.subarray(0, rows));
  to.headingsDegrees.set(from.headingsDegrees.subarray(0, rows));
  to.speedsMps.set(from.speedsMps.subarray(0, rows));
  to.accuraciesM.set(from.accuraciesM.subarray(0, rows));
  return to;
}

function putRow(columns: PageColumns, row: number, position: ReportedPosition): void {
  columns.sequences[row] = Number(position.sequence);
  columns.latitudes[row] = position.latitude;
  columns.longitudes[row] = position.longitude;
  columns.observedAtMs[row] = position.observedAtMs;
  columns.headingsDegrees[row] = position.headingDegrees;
  columns.speedsMps[row] = position.speedMps;
  columns.accuraciesM[row] = position.accuracyM;
}

/** With a fraction when the last row is cut off. */
export function rowsIn(page: ForwardPositionsRequest): number {
  return page.rows.byteLength / rowBytes;
}

/** Of whole rows; see `rowsIn`. */
export function columnsIn(page: ForwardPositionsRequest): PageColumns {
  // A copy: numbers are aligned in it, and the message it came in is not kept for it.
  return columnsOver(new Uint8Array(page.rows).buffer);
}

/** The widest first, so that each column is aligned. */
function columnsOver(bytes: ArrayBuffer): PageColumns {
  const rows = bytes.byteLength / rowBytes;
  const doubles = (column: number) => new Float64Array(bytes, column * 8 * rows, rows);
  const floats = (column: number) => new Float32Array(bytes, (4 * 8 + column * 4) * rows, rows);
  return {
    sequences: doubles(0),
    latitudes: doubles(1),
    longitudes: doubles(2),
    observedAtMs: doubles(3),
    headingsDegrees: floats(0),
    speedsMps: floats(1),
    accuraciesM: floats(2),
  };
}
