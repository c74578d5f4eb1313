/**
 * Follows a ride: every version once and in order after the cursor, and between versions where the driver is.
 *
 * A stream costs its cursor and one ride; what a slow reader has not taken stays in the tables.
 */
import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { rideToWire } from "@ridegrid/contracts";
import { type WatchRideRequest, type WatchRideResponse, WatchRideResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { WatchRideResponseSchema as MessageSchema } from "@ridegrid/contracts/gen/rider/v1/rider_service_pb";
import { isOpen, type Ride } from "@ridegrid/domain";
import { callerOf } from "@ridegrid/rpc";
import { parseRideCursor, rideCursor } from "../cursor.ts";
import { createShownLocations, shownDriver } from "../driver-location.ts";
import { endedRideLingerMs, locationIntervalMs, unknownRideWaitMs, watchPageVersions, watchRecheckMs } from "../limits.ts";
import { requireVisible, rideNotFound } from "../ride-access.ts";
import { createRideFollower, type RideFollower } from "../ride-follower.ts";
import { requireRegion, type StateQueryParts } from "../state-query-parts.ts";
import type { Subscription } from "../wakeups.ts";

export async function* watchRide(parts: StateQueryParts, request: WatchRideRequest, context: HandlerContext): AsyncGenerator<WatchRideResponse> {
  requireRegion(parts, request.region);
  const rideId = (request.command?.rideId ?? "").toLowerCase();
  const cursor = parseRideCursor(request.command?.cursor ?? "");
  const subscription = parts.wakeups.subscribe(`ride:${rideId}`);
  try {
    requireVisible(await rideOnceKnown(parts, rideId, subscription, context.signal), callerOf(context));
    yield* follow(parts, { follower: createRideFollower({ store: parts.rides, rideId, cursor }), subscription, signal: context.signal });
  } finally {
    subscription.close();
  }
}

/** The gateway asks for rides that the coordinator knows: one that is not here yet was requested a moment ago. */
async function rideOnceKnown(parts: StateQueryParts, rideId: string, subscription: Subscription, signal: AbortSignal): Promise<Ride> {
  const deadlineMs = performance.now() + unknownRideWaitMs;
  for (;;) {
    const ride = await parts.rides.ride(rideId);
    if (ride !== null) return ride;
    const leftMs = deadlineMs - performance.now();
    if (leftMs <= 0) throw rideNotFound(rideId);
    await subscription.next(leftMs, signal);
  }
}

type Following = { readonly follower: RideFollower; readonly subscription: Subscription; readonly signal: AbortSignal };

async function* follow(parts: StateQueryParts, { follower, subscription, signal }: Following): AsyncGenerator<WatchRideResponse> {
  const locations = createShownLocations({ positions: parts.positions, regions: parts.regions, clock: parts.context.clock });
  let endedAtMs: number | null = null;
  let lookAgainAtMs = 0;
  for (;;) {
    if (performance.now() >= lookAgainAtMs) {
      let steps;
      do {
        steps = await follower.advance();
        for (const { ride, reset } of steps) yield message({ cursor: rideCursor(ride.version), reset, update: { case: "ride", value: rideToWire(ride) } });
      } while (steps.length >= watchPageVersions);
      lookAgainAtMs = performance.now() + watchRecheckMs;
    }
    const ride = follower.current();
    const location = ride === null ? null : locations.next(ride);
    if (ride !== null && location !== null) yield message({ cursor: rideCursor(ride.version), update: { case: "driverLocation", value: location } });
    if (ride !== null && !isOpen(ride.status)) endedAtMs ??= performance.now();
    if (endedAtMs !== null && performance.now() - endedAtMs >= endedRideLingerMs) return;
    const waitMs = ride !== null && shownDriver(ride) !== null ? locationIntervalMs : Math.min(watchRecheckMs, endedRideLingerMs);
    if (await subscription.next(waitMs, signal)) lookAgainAtMs = 0;
  }
}

function message(init: Parameters<typeof create<typeof MessageSchema>>[1]): WatchRideResponse {
  return create(WatchRideResponseSchema, { message: create(MessageSchema, init) });
}
