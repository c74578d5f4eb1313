/**
 * Follows a driver: every version once and in order after the cursor.
 *
 * It sees this region's part of a driver's history. A shift that opens elsewhere is told there: whoever opened this
 * stream looks again where the driver is at home when the driver goes online.
 */
import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { WatchOffersResponseSchema as MessageSchema } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { type WatchDriverRequest, type WatchDriverResponse, WatchDriverResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { apiError, type Caller, callerOf } from "@ridegrid/rpc";
import { parseDriverCursor } from "../cursor.ts";
import { createDriverFollower } from "../driver-follower.ts";
import { watchPageVersions, watchRecheckMs } from "../limits.ts";
import { requireRegion, type StateQueryParts } from "../state-query-parts.ts";

export async function* watchDriver(parts: StateQueryParts, request: WatchDriverRequest, context: HandlerContext): AsyncGenerator<WatchDriverResponse> {
  requireRegion(parts, request.region);
  const { driverId } = request;
  requireOwnStream(driverId, callerOf(context));
  const cursor = parseDriverCursor(request.command?.cursor ?? "");
  const subscription = parts.wakeups.subscribe(`driver:${driverId}`);
  try {
    const follower = createDriverFollower({ store: parts.drivers, driverId, cursor });
    for (;;) {
      let steps;
      do {
        steps = await follower.advance(parts.context.clock.nowMs());
        for (const step of steps) yield create(WatchDriverResponseSchema, { message: create(MessageSchema, step) });
      } while (steps.length >= watchPageVersions);
      await subscription.next(watchRecheckMs, context.signal);
    }
  } finally {
    subscription.close();
  }
}

function requireOwnStream(driverId: string, { principal, role }: Caller): void {
  const allowed = role === "operator" || role === "viewer" || role === "service" || (role === "driver" && principal === driverId);
  if (!allowed) throw apiError("ROLE_NOT_ALLOWED", `Cannot follow driver "${driverId}": the stream is another person's`);
}
