/** `EstimatePickup`: how soon the nearest driver free at the last tick could be there. */
import { create } from "@bufbuild/protobuf";
import { latLngFromWire } from "@ridegrid/contracts";
import { type EstimatePickupRequest, type EstimatePickupResponse, EstimatePickupResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { createCandidateSearch } from "../candidate-search.ts";
import { availableFlag } from "../driver-book.ts";
import { positionFreshMs } from "../limits.ts";
import type { MarketState } from "../market-state.ts";

export function estimatePickup({ grid, drivers, travelTime, market }: MarketState, request: EstimatePickupRequest, nowMs: number): EstimatePickupResponse {
  const { points, projection } = drivers;
  const search = createCandidateSearch({ grid, points, projection, travelTime, etaMaxSeconds: market.policy.pickupEtaMaxSeconds });
  search.begin(latLngFromWire(request.pickup, "pickup"), (slot) => {
    const { flags, seats, observedAtMs } = points.columns;
    // The grid is up to a tick old, and older while matching stalls.
    const isFree = flags[slot] === availableFlag && nowMs - (observedAtMs[slot] ?? 0) < positionFreshMs;
    return isFree && (seats[slot] ?? 0) >= request.seats;
  });
  return create(EstimatePickupResponseSchema, { surgeMultiplier: 1, ...(search.next() ? { pickupEtaSeconds: Math.ceil(search.etaSeconds) } : {}) });
}
