/** A page of positions as a gateway sends it, column by column: its runs out of it, and the answer to them. */
import { create } from "@bufbuild/protobuf";
import { positionAt, type PositionRun, type ReportedPosition } from "@ridegrid/contracts";
import { type PositionRejection, RejectedPositionSchema } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import {
  type ForwardPositionsRequest,
  type ForwardPositionsResponse,
  ForwardPositionsResponseSchema,
  RejectedRowSchema,
} from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { apiError } from "@ridegrid/rpc";
import { streamIdCharsMax } from "./limits.ts";

export type ReportedRun = PositionRun & { readonly index: number };

export type JudgedRun = {
  readonly index: number;
  readonly driverId: string;
  readonly superseded: boolean;
  readonly rejected: { readonly sequence: bigint; readonly reason: PositionRejection }[];
  /** Of the positions that were accepted; 0 when none was. */
  highest: number;
};

/** @throws FIELD_INVALID when the columns do not fit together. */
export function* runsOf(page: ForwardPositionsRequest): Iterable<ReportedRun> {
  requireFittingColumns(page);
  let row = 0;
  for (let index = 0; index < page.driverIds.length; index++) {
    const end = row + (page.runLengths[index] ?? 0);
    const positions: ReportedPosition[] = [];
    for (; row < end; row++) positions.push(positionAt(page, row));
    yield { index, driverId: page.driverIds[index] ?? "", streamId: page.streamIds[index] ?? "", positions };
  }
}

function requireFittingColumns(page: ForwardPositionsRequest): void {
  const rows = page.sequences.length;
  const columns = [page.latitudes, page.longitudes, page.headingsDegrees, page.speedsMps, page.accuraciesM, page.observeTimesMs];
  const ragged = columns.findIndex((column) => column.length !== rows);
  if (ragged >= 0) throw invalid("sequences", `Cannot take page ${page.pageId}: it has ${rows} sequences and ${columns[ragged]?.length} of another column`);
  const runs = page.driverIds.length;
  if (page.streamIds.length !== runs || page.runLengths.length !== runs)
    throw invalid(
      "driver_ids",
      `Cannot take page ${page.pageId}: it has ${runs} drivers, ${page.streamIds.length} streams and ${page.runLengths.length} lengths`,
    );
  if (page.driverIds.includes("")) throw invalid("driver_ids", `Cannot take page ${page.pageId}: a run of it has no driver`);
  if (page.streamIds.some((id) => id.length > streamIdCharsMax))
    throw invalid("stream_ids", `Cannot take page ${page.pageId}: a stream's id is longer than ${streamIdCharsMax}`);
  const told = page.runLengths.reduce((sum, length) => sum + length, 0);
  if (told !== rows) throw invalid("run_lengths", `Cannot take page ${page.pageId}: its runs have ${told} rows, and it has ${rows}`);
}

function invalid(field: string, message: string): Error {
  return apiError("FIELD_INVALID", message, { field });
}

/** `marks` say what else of a driver is durable: it is acknowledged, too. */
export function answerTo(pageId: bigint, runs: readonly JudgedRun[], marks: { durableSequence(driverId: string): number }): ForwardPositionsResponse {
  const answer = create(ForwardPositionsResponseSchema, { pageId });
  for (const { index, driverId, superseded, rejected, highest } of runs) {
    answer.runs.push(index);
    answer.ackedSequences.push(BigInt(Math.max(highest, marks.durableSequence(driverId))));
    if (superseded) answer.supersededRuns.push(index);
    for (const position of rejected) answer.rejected.push(create(RejectedRowSchema, { run: index, position: create(RejectedPositionSchema, position) }));
  }
  return answer;
}
