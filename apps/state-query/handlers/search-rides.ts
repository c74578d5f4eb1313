/** Finds rides of this home region, newest first. A page token is the key of the last ride shown. */
import { create } from "@bufbuild/protobuf";
import { latLngFromWire, optionalTime, rideStatusFromWire, rideToWire } from "@ridegrid/contracts";
import { type SearchRidesRequest, type SearchRidesResponse, SearchRidesResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { SearchRidesResponseSchema as PageSchema } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { RideStatus } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import type { Ride } from "@ridegrid/domain";
import { apiError } from "@ridegrid/rpc";
import { searchPageDefault, searchPageMax } from "../limits.ts";
import type { RideSearch } from "../ride-store.ts";
import { requireRegion, type StateQueryParts } from "../state-query-parts.ts";

export async function searchRides(parts: StateQueryParts, request: SearchRidesRequest): Promise<SearchRidesResponse> {
  requireRegion(parts, request.region);
  const { pageSize = 0, pageToken = "", statuses = [], marketId = "", riderId = "", driverId = "", openOnly = false, area } = request.command ?? {};
  const size = pageSize === 0 ? searchPageDefault : Math.min(pageSize, searchPageMax);
  const asOfMs = await parts.reach.asOfMs();
  const named = statuses.filter((status) => status !== RideStatus.UNSPECIFIED).map(rideStatusFromWire);
  const circle = area === undefined ? null : { center: latLngFromWire(area.center, "area.center"), radiusMeters: area.radiusMeters };
  // One more than shown tells whether there is a next page.
  const filter = { statuses: named, marketId, riderId, driverId, openOnly, area: circle };
  const found = await parts.rides.search({ ...filter, limit: size + 1, after: parsePageToken(pageToken) });
  const shown = found.slice(0, size);
  const last = shown.at(-1);
  const nextPageToken = found.length > size && last !== undefined ? pageTokenOf(last) : "";
  return create(SearchRidesResponseSchema, { page: create(PageSchema, { rides: shown.map(rideToWire), nextPageToken, ...optionalTime("asOf", asOfMs) }) });
}

function pageTokenOf(ride: Ride): string {
  return Buffer.from(`${ride.createTimeMs}/${ride.rideId}`).toString("base64url");
}

function parsePageToken(token: string): RideSearch["after"] {
  if (token === "") return null;
  const [, createTimeMs, rideId] = /^(\d{1,15})\/([0-9a-f-]{36})$/.exec(Buffer.from(token, "base64url").toString()) ?? [];
  if (createTimeMs === undefined || rideId === undefined || !uuidPattern.test(rideId)) {
    throw apiError("FIELD_INVALID", `Cannot list from page token "${token}": no page gave it`, { field: "page_token" });
  }
  return { createTimeMs: Number(createTimeMs), rideId };
}

const uuidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
