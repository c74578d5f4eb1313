/** `EstimatePickup`: how soon the nearest driver free at the last tick could be there. */
import { create } from "@bufbuild/protobuf";
import { latLngFromWire } from "@ridegrid/contracts";
import { type EstimatePickupRequest, type EstimatePickupResponse, EstimatePickupResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { availableFlag } from "../driver-book.ts";
import { positionFreshMs } from "../limits.ts";
import type { MarketState } from "../market-state.ts";

export function estimatePickup({ grid, drivers, searches }: MarketState, request: EstimatePickupRequest, nowMs: number): EstimatePickupResponse {
  const { flags, seats, observedAtMs } = drivers.points.columns;
  searches.begin([{ pickup: latLngFromWire(request.pickup, "pickup") }], (_, place) => {
    const slot = grid.slotAt(place);
    // The grid is up to a tick old, and older while matching stalls.
    const isFree = flags[slot] === availableFlag && nowMs - (observedAtMs[slot] ?? 0) < positionFreshMs;
    return isFree && (seats[slot] ?? 0) >= request.seats;
  });
  return create(EstimatePickupResponseSchema, { surgeMultiplier: 1, ...(searches.next(0) ? { pickupEtaSeconds: Math.ceil(searches.etaSeconds(0)) } : {}) });
}
