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
/** `ackedSequence` is 0n while nothing of the driver is durable; `superseded` when a newer stream of the driver is known. */
export type PositionsFate = { readonly ackedSequence: bigint; readonly rejected: readonly RejectedPosition[]; readonly superseded: boolean };

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
    for (const { market, positions: run } of byMarket(regions, positions)) {
      const settle = begin(run.length);
      if (market === undefined) settle({ kind: "answered", ackedSequence: 0n, rejected: run.map(rejection), superseded: false });
      else forwarder(serving.of(market.homeRegion)).forward({ driverId, streamId, positions: run, settle });
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
  let ackedSequence = 0n;
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

type Run = { readonly market: RegionMarket | undefined; readonly positions: ReportedPosition[] };

/** Positions in order, cut where the market changes; without a market where there is none. */
function byMarket(regions: Regions, positions: readonly ReportedPosition[]): readonly Run[] {
  const runs: Run[] = [];
  let last: Run | undefined;
  for (const position of positions) {
    const market = regions.marketAt(position);
    if (last === undefined || last.market?.marketId !== market?.marketId) runs.push((last = { market, positions: [] }));
    last.positions.push(position);
  }
  return runs;
}

function rejection({ sequence, latitude, longitude }: ReportedPosition): RejectedPosition {
  const onGlobe = Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180;
  return create(RejectedPositionSchema, { sequence, reason: onGlobe ? PositionRejection.OUTSIDE_SERVICE_AREA : PositionRejection.OUT_OF_RANGE });
}
