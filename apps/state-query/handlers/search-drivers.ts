/**
 * Finds available drivers of this region nearest to a point. The tables say who is near, seconds old; where a driver is
 * this second, and how far, is what this process heard last.
 */
import { create } from "@bufbuild/protobuf";
import { driverStatusToWire, latLngFromWire, latLngToWire, timestampFromMs } from "@ridegrid/contracts";
import { type SearchDriversRequest, type SearchDriversResponse, SearchDriversResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { MarketDriverSchema, type NearbyDriver, NearbyDriverSchema } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { haversineMeters, type LatLng } from "@ridegrid/domain";
import type { NearDriver } from "../driver-places.ts";
import { nearDriversDefault, nearRadiusDefaultMeters, positionShownMaxMs, positionStaleMs } from "../limits.ts";
import { requireRegion, type StateQueryParts } from "../state-query-parts.ts";

export async function searchDrivers(parts: StateQueryParts, { region, command }: SearchDriversRequest): Promise<SearchDriversResponse> {
  requireRegion(parts, region);
  const near = latLngFromWire(command?.near, "command.near");
  const { radiusMeters = 0, limit = 0 } = command ?? {};
  const nowMs = parts.context.clock.nowMs();
  const found = await parts.places.nearest({
    near,
    radiusMeters: radiusMeters === 0 ? nearRadiusDefaultMeters : radiusMeters,
    seenAfterMs: nowMs - positionShownMaxMs,
    limit: limit === 0 ? nearDriversDefault : limit,
  });
  const drivers = found.map((driver) => nearbyDriver(parts, driver, { near, nowMs })).toSorted((left, right) => left.distanceMeters - right.distanceMeters);
  return create(SearchDriversResponseSchema, { drivers });
}

function nearbyDriver(
  { positions, region }: StateQueryParts,
  found: NearDriver,
  { near, nowMs }: { readonly near: LatLng; readonly nowMs: number },
): NearbyDriver {
  const heard = positions.get(found.driverId);
  const at = heard !== undefined && heard.observedAtMs > found.observedAtMs ? heard : found;
  const { headingDegrees, observedAtMs } = at;
  const stale = nowMs - observedAtMs > positionStaleMs;
  const status = driverStatusToWire("available");
  return create(NearbyDriverSchema, {
    driver: create(MarketDriverSchema, { driverId: found.driverId, status, location: latLngToWire(at), headingDegrees, stale }),
    distanceMeters: haversineMeters(near, at),
    marketId: found.marketId,
    region,
    observeTime: timestampFromMs(observedAtMs),
  });
}
