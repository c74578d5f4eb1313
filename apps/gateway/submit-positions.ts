/**
 * A driver's positions to the ingest of the market each lies in. What lies nowhere is rejected here, for there is no
 * region to send it to; the rest is judged by ingest, and acknowledged when it is durable.
 */
import { create } from "@bufbuild/protobuf";
import type { ReportedPosition } from "@ridegrid/contracts";
import { PositionRejection, type RejectedPosition, RejectedPositionSchema } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import type { ServingRegions } from "@ridegrid/rpc";
import type { RegionMarket, Regions } from "@ridegrid/spatial";
import type { PositionsForwarder, RunFate } from "./positions-forwarder.ts";

/** `streamId` is empty for a unary call. */
export type PositionSource = { readonly driverId: string; readonly streamId: string };
/** `ackedSequence` is 0 while nothing of the driver is durable; `superseded` when a newer stream of the driver is known. */
export type PositionsFate = { readonly ackedSequence: number; readonly rejected: readonly RejectedPosition[]; readonly superseded: boolean };

export interface SubmitPositions {
  /**
   * Cuts positions into runs of one market each and calls `begin` for each, in order, for whom to tell its fate: once, at
   * any later time, or at once for what is rejected here.
   */
  each(source: PositionSource, positions: readonly ReportedPosition[], begin: (positions: number) => (fate: RunFate) => void): void;
  /** The fate of all. @throws what the forwarder answers when nothing can be acknowledged. */
  all(source: PositionSource, positions: readonly ReportedPosition[]): Promise<PositionsFate>;
}

export type SubmitPositionsDeps = {
  readonly regions: Regions;
  readonly serving: Pick<ServingRegions, "of">;
  readonly forwarder: (region: string) => PositionsForwarder;
};

export function createSubmitPositions({ regions, serving, forwarder }: SubmitPositionsDeps): SubmitPositions {
  const each: SubmitPositions["each"] = ({ driverId, streamId }, positions, begin) => {
    for (let from = 0; from < positions.length;) {
      const market = marketOf(regions, positions[from]);
      const to = endOfRun(regions, positions, from);
      const run = from === 0 && to === positions.length ? positions : positions.slice(from, to);
      const settle = begin(run.length);
      if (market === undefined) settle({ kind: "answered", ackedSequence: 0, rejected: run.map(rejection), superseded: false });
      else forwarder(serving.of(market.homeRegion)).forward({ driverId, streamId, positions: run, settle });
      from = to;
    }
  };
  return {
    each,
    async all(source, positions) {
      const fates: Promise<RunFate>[] = [];
      each(source, positions, () => {
        const { promise, resolve } = Promise.withResolvers<RunFate>();
        fates.push(promise);
        return resolve;
      });
      return joined(await Promise.all(fates));
    },
  };
}

function joined(fates: readonly RunFate[]): PositionsFate {
  let ackedSequence = 0;
  let superseded = false;
  const rejected: RejectedPosition[] = [];
  for (const fate of fates) {
    if (fate.kind === "failed") throw fate.error;
    if (fate.ackedSequence > ackedSequence) ackedSequence = fate.ackedSequence;
    superseded ||= fate.superseded;
    rejected.push(...fate.rejected);
  }
  return { ackedSequence, rejected: rejected.sort((a, b) => Number(a.sequence - b.sequence)), superseded };
}

/** Where positions of one market, or of none, end that follow one another. */
function endOfRun(regions: Regions, positions: readonly ReportedPosition[], from: number): number {
  if (positions.length === 1) return 1;
  const marketId = marketOf(regions, positions[from])?.marketId;
  let to = from + 1;
  while (to < positions.length && marketOf(regions, positions[to])?.marketId === marketId) to++;
  return to;
}

/** Of a position with a sequence that others can work with. */
function marketOf(regions: Regions, position: ReportedPosition | undefined): RegionMarket | undefined {
  return position !== undefined && Number.isSafeInteger(Number(position.sequence)) ? regions.marketAt(position) : undefined;
}

function rejection({ sequence, latitude, longitude }: ReportedPosition): RejectedPosition {
  const inRange = Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 && Number.isSafeInteger(Number(sequence));
  return create(RejectedPositionSchema, { sequence, reason: inRange ? PositionRejection.OUTSIDE_SERVICE_AREA : PositionRejection.OUT_OF_RANGE });
}
