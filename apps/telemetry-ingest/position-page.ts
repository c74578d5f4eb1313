/** A page of positions as a gateway sends it, column by column: its runs out of it, and the answer to them. */
import { create } from "@bufbuild/protobuf";
import { type PageColumns, rowsIn } from "@ridegrid/contracts";
import { type PositionRejection, RejectedPositionSchema } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import {
  type ForwardPositionsRequest,
  type ForwardPositionsResponse,
  ForwardPositionsResponseSchema,
  RejectedRowSchema,
} from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { apiError } from "@ridegrid/rpc";
import type { ReceivedPosition } from "./judge-position.ts";
import { streamIdCharsMax } from "./limits.ts";

/** Rows `from` to `to` of the page's columns. `streamId` is empty for positions of a unary call. */
export type ReportedRun = { readonly index: number; readonly driverId: string; readonly streamId: string; readonly from: number; readonly to: number };

export type JudgedRun = {
  readonly index: number;
  readonly driverId: string;
  readonly superseded: boolean;
  readonly rejected: { readonly sequence: number; readonly reason: PositionRejection }[];
  /** Of the positions that were accepted; 0 when none was. */
  highest: number;
};

/** @throws FIELD_INVALID when the columns do not fit together. */
export function runsOf(page: ForwardPositionsRequest): readonly ReportedRun[] {
  requireFittingColumns(page);
  const runs: ReportedRun[] = [];
  let row = 0;
  let at = 0;
  for (let index = 0; index < page.runLengths.length; index++) {
    const stream = at + (page.driverIdLengths[index] ?? 0);
    const end = stream + (page.streamIdLengths[index] ?? 0);
    const to = row + (page.runLengths[index] ?? 0);
    runs.push({ index, driverId: page.ids.slice(at, stream), streamId: page.ids.slice(stream, end), from: row, to });
    at = end;
    row = to;
  }
  return runs;
}

function requireFittingColumns(page: ForwardPositionsRequest): void {
  const { pageId, ids, runLengths, driverIdLengths, streamIdLengths } = page;
  const rows = rowsIn(page);
  if (!Number.isInteger(rows)) throw invalid("rows", `Cannot take page ${pageId}: the last of its ${Math.ceil(rows)} rows is cut off`);
  const runs = runLengths.length;
  if (driverIdLengths.length !== runs || streamIdLengths.length !== runs)
    throw invalid("run_lengths", `Cannot take page ${pageId}: it has ${driverIdLengths.length} drivers, ${streamIdLengths.length} streams and ${runs} runs`);
  if (driverIdLengths.includes(0)) throw invalid("driver_id_lengths", `Cannot take page ${pageId}: a run of it has no driver`);
  if (streamIdLengths.some((chars) => chars > streamIdCharsMax))
    throw invalid("stream_id_lengths", `Cannot take page ${pageId}: a stream's id is longer than ${streamIdCharsMax}`);
  const told = sum(runLengths);
  if (told !== rows) throw invalid("run_lengths", `Cannot take page ${pageId}: its runs have ${told} rows, and it has ${rows}`);
  const chars = sum(driverIdLengths) + sum(streamIdLengths);
  if (chars !== ids.length) throw invalid("ids", `Cannot take page ${pageId}: ids of ${chars} units are told, and it has ${ids.length}`);
}

function sum(lengths: readonly number[]): number {
  return lengths.reduce((all, length) => all + length, 0);
}

/** What is beyond the columns is no position: its numbers are none. */
export function positionIn(columns: PageColumns, row: number, receivedAtMs: number): ReceivedPosition {
  return {
    sequence: columns.sequences[row] ?? Number.NaN,
    observedAtMs: columns.observedAtMs[row] ?? Number.NaN,
    receivedAtMs,
    latitude: columns.latitudes[row] ?? Number.NaN,
    longitude: columns.longitudes[row] ?? Number.NaN,
    headingDegrees: columns.headingsDegrees[row] ?? Number.NaN,
    speedMps: columns.speedsMps[row] ?? Number.NaN,
    accuracyM: columns.accuraciesM[row] ?? Number.NaN,
  };
}

function invalid(field: string, message: string): Error {
  return apiError("FIELD_INVALID", message, { field });
}

/** `marks` say what else of a driver is durable: it is acknowledged, too. */
export function answerTo(pageId: bigint, runs: readonly JudgedRun[], marks: { durableSequence(driverId: string): number }): ForwardPositionsResponse {
  const answer = create(ForwardPositionsResponseSchema, { pageId });
  for (const { index, driverId, superseded, rejected, highest } of runs) {
    answer.runs.push(index);
    answer.durableSequences.push(Math.max(highest, marks.durableSequence(driverId)));
    if (superseded) answer.supersededRuns.push(index);
    for (const { sequence, reason } of rejected) {
      const position = create(RejectedPositionSchema, { sequence: sequenceToWire(sequence), reason });
      answer.rejected.push(create(RejectedRowSchema, { run: index, position }));
    }
  }
  return answer;
}

/** What is no whole number comes from no gateway of ours, and has none on the wire. */
function sequenceToWire(sequence: number): bigint {
  return Number.isSafeInteger(sequence) ? BigInt(sequence) : -1n;
}
