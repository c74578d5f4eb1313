/** Reads a ride from the read model; with `min_version`, waits a moment for the fold to get there. */
import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { rideToWire } from "@ridegrid/contracts";
import { type GetRideViewRequest, type GetRideViewResponse, GetRideViewResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { optionalTime } from "@ridegrid/contracts";
import type { Ride } from "@ridegrid/domain";
import { callerOf } from "@ridegrid/rpc";
import { minVersionWaitMs } from "../limits.ts";
import { requireVisible } from "../ride-access.ts";
import { requireRegion, type StateQueryParts } from "../state-query-parts.ts";

export async function getRideView(parts: StateQueryParts, request: GetRideViewRequest, context: HandlerContext): Promise<GetRideViewResponse> {
  requireRegion(parts, request.region);
  const rideId = request.rideId.toLowerCase();
  const minVersion = Number(request.minVersion);
  const hot = await parts.hotRides.get(rideId, minVersion);
  if (hot !== null) return answer(hot.ride, hot.asOfMs, context);
  // Asked before the ride is read: the answer is at least as complete as it says.
  const asOfMs = await parts.reach.asOfMs();
  const read = await parts.rides.ride(rideId);
  const ride = (read?.version ?? 0) >= minVersion ? read : await rideAtVersion(parts, { rideId, minVersion }, context.signal);
  if (ride !== null) parts.hotRides.put(ride, asOfMs);
  return answer(ride, asOfMs, context);
}

function answer(ride: Ride | null, asOfMs: number | null, context: HandlerContext): GetRideViewResponse {
  if (ride !== null) requireVisible(ride, callerOf(context));
  return create(GetRideViewResponseSchema, { ...(ride === null ? {} : { ride: rideToWire(ride) }), ...optionalTime("asOf", asOfMs) });
}

async function rideAtVersion(
  parts: StateQueryParts,
  wanted: { readonly rideId: string; readonly minVersion: number },
  signal: AbortSignal,
): Promise<Ride | null> {
  const deadlineMs = performance.now() + minVersionWaitMs;
  const subscription = parts.wakeups.subscribe(`ride:${wanted.rideId}`);
  try {
    for (;;) {
      const ride = await parts.rides.ride(wanted.rideId);
      if (ride !== null && ride.version >= wanted.minVersion) return ride;
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) return null;
      await subscription.next(leftMs, signal);
    }
  } finally {
    subscription.close();
  }
}
