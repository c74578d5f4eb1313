/**
 * Positions on their way from a gateway to an ingest: a page of them column by column on the wire, and one position as
 * both sides work with it, unjudged.
 */
import type { ForwardPositionsRequest } from "./gen/ridegrid/mesh/v1/mesh_pb.ts";

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

/** Positions of one driver that follow one another. `streamId` is empty for those of a unary call. */
export type PositionRun = { readonly driverId: string; readonly streamId: string; readonly positions: readonly ReportedPosition[] };

export function appendRun(page: ForwardPositionsRequest, { driverId, streamId, positions }: PositionRun): void {
  page.driverIds.push(driverId);
  page.streamIds.push(streamId);
  page.runLengths.push(positions.length);
  for (const position of positions) {
    page.sequences.push(position.sequence);
    page.latitudes.push(position.latitude);
    page.longitudes.push(position.longitude);
    page.headingsDegrees.push(position.headingDegrees);
    page.speedsMps.push(position.speedMps);
    page.accuraciesM.push(position.accuracyM);
    page.observeTimesMs.push(position.observedAtMs);
  }
}

/** A row beyond the columns is no position: its numbers are none. */
export function positionAt(page: ForwardPositionsRequest, row: number): ReportedPosition {
  return {
    sequence: page.sequences[row] ?? -1n,
    latitude: page.latitudes[row] ?? Number.NaN,
    longitude: page.longitudes[row] ?? Number.NaN,
    headingDegrees: page.headingsDegrees[row] ?? Number.NaN,
    speedMps: page.speedsMps[row] ?? Number.NaN,
    accuracyM: page.accuraciesM[row] ?? Number.NaN,
    observedAtMs: page.observeTimesMs[row] ?? Number.NaN,
  };
}
