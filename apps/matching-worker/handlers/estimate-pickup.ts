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
  const search = createCandidateSearch(latLngFromWire(request.pickup, "pickup"), {
    grid,
    points,
    projection,
    travelTime,
    etaMaxSeconds: market.policy.pickupEtaMaxSeconds,
    obstacle(_driverId, slot) {
      const { flags, seats, observedAtMs } = points.columns;
      // The grid is up to a tick old, and older while matching stalls.
      if (flags[slot] !== availableFlag || nowMs - (observedAtMs[slot] ?? 0) >= positionFreshMs) return "no longer free";
      return (seats[slot] ?? 0) < request.seats ? "too few seats" : null;
    },
  });
  const nearest = search.next();
  return create(EstimatePickupResponseSchema, { surgeMultiplier: 1, ...(nearest === null ? {} : { pickupEtaSeconds: Math.ceil(nearest.etaSeconds) }) });
}
