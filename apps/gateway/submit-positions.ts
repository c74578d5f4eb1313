/**
 * A driver's positions to the ingest of the market each lies in. What lies nowhere is rejected here, for there is no
 * region to send it to; the rest is judged by ingest, and acknowledged when it is durable.
 */
import { create } from "@bufbuild/protobuf";
import { type Position, PositionRejection, type RejectedPosition, RejectedPositionSchema } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import type { ServingRegions } from "@ridegrid/rpc";
import type { RegionMarket, Regions } from "@ridegrid/spatial";
import type { PositionsForwarder } from "./positions-forwarder.ts";

/** `streamId` is empty for a unary call. */
export type SubmitPositions = (driver: { readonly driverId: string; readonly streamId: string }, positions: readonly Position[]) => Promise<PositionsFate>;
/** `ackedSequence` is 0n while nothing of the driver is durable; `superseded` when a newer stream of the driver is known. */
export type PositionsFate = { readonly ackedSequence: bigint; readonly rejected: RejectedPosition[]; readonly superseded: boolean };

export function createSubmitPositions({
  regions,
  serving,
  forwarder,
}: {
  readonly regions: Regions;
  readonly serving: Pick<ServingRegions, "of">;
  readonly forwarder: (region: string) => PositionsForwarder;
}): SubmitPositions {
  return async (driver, positions) => {
    const { runs, rejected } = byMarket(regions, positions);
    const results = await Promise.all(
      runs.map(({ market, positions: run }) => forwarder(serving.of(market.homeRegion)).forward({ ...driver, marketId: market.marketId, positions: run })),
    );
    const all = [...rejected, ...results.flatMap((result) => result.rejected)].sort((a, b) => Number(a.sequence - b.sequence));
    return {
      ackedSequence: results.reduce((highest, { ackedSequence }) => (ackedSequence > highest ? ackedSequence : highest), 0n),
      rejected: all,
      superseded: results.some((result) => result.superseded),
    };
  };
}

type Run = { readonly market: RegionMarket; readonly positions: Position[] };

/** Positions in order, cut where the market changes. */
function byMarket(regions: Regions, positions: readonly Position[]): { readonly runs: readonly Run[]; readonly rejected: readonly RejectedPosition[] } {
  const runs: Run[] = [];
  const rejected: RejectedPosition[] = [];
  for (const position of positions) {
    const market = isOnGlobe(position) ? regions.marketAt(position.location) : undefined;
    if (market === undefined) {
      const reason = isOnGlobe(position) ? PositionRejection.OUTSIDE_SERVICE_AREA : PositionRejection.OUT_OF_RANGE;
      rejected.push(create(RejectedPositionSchema, { sequence: position.sequence, reason }));
      continue;
    }
    const last = runs.at(-1);
    if (last?.market.marketId === market.marketId) last.positions.push(position);
    else runs.push({ market, positions: [position] });
  }
  return { runs, rejected };
}

function isOnGlobe(position: Position): position is Position & { location: NonNullable<Position["location"]> } {
  const { location } = position;
  return location !== undefined && Math.abs(location.latitude) <= 90 && Math.abs(location.longitude) <= 180;
}
