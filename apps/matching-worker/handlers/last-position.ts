/** `LastPosition`: where a driver was last seen, and how long ago; nothing when no position is known. */
import { create } from "@bufbuild/protobuf";
import { latLngToWire } from "@ridegrid/contracts";
import { type LastPositionRequest, type LastPositionResponse, LastPositionResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import type { MarketState } from "../market-state.ts";

export function lastPosition({ drivers }: MarketState, { driverId }: LastPositionRequest, nowMs: number): LastPositionResponse {
  const slot = drivers.points.slotOf(driverId);
  const observedAtMs = drivers.heardAtMs(driverId);
  if (slot === undefined || observedAtMs === 0) return create(LastPositionResponseSchema);
  const { x, y } = drivers.points.columns;
  const location = latLngToWire(drivers.projection.toLatLng({ x: x[slot] ?? 0, y: y[slot] ?? 0 }));
  return create(LastPositionResponseSchema, { location, ageMs: BigInt(Math.max(0, Math.round(nowMs - observedAtMs))) });
}
