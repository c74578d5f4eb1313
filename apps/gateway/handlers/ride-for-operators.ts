/** `OpsService`: reads of one ride: the ride, its events, and why it got its driver. The PIN is never among them. */
import type { HandlerContext } from "@connectrpc/connect";
import type { ExplainMatchRequest, GetRideRequest, GetRideTimelineRequest, MatchCandidate, TimelineEntry } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import type { ServiceDirectory } from "@ridegrid/rpc";
import { ask } from "../dependency.ts";
import type { RideLocator } from "../ride-locator.ts";
import { withoutPin } from "../ride-pins.ts";
import type { RideReader, RideReading } from "../ride-reader.ts";

export type RideForOperatorsDeps = { readonly directory: ServiceDirectory; readonly locator: RideLocator; readonly reader: RideReader };

export async function getRideForOperators({ reader }: RideForOperatorsDeps, { rideId }: GetRideRequest, context: HandlerContext): Promise<RideReading> {
  const { ride, asOf } = await reader.read(rideId, 0n, context);
  return { ride: withoutPin(ride), asOf };
}

export async function getRideTimeline(
  { directory, locator }: RideForOperatorsDeps,
  { rideId }: GetRideTimelineRequest,
  context: HandlerContext,
): Promise<{ entries: TimelineEntry[] }> {
  const { homeRegion: region } = await locator.locate(rideId, context);
  const { entries } = await ask(context, (options) => directory.state(region).getRideTimeline({ region, rideId }, options));
  return { entries };
}

export async function explainMatch(
  { directory, locator }: RideForOperatorsDeps,
  { rideId }: ExplainMatchRequest,
  context: HandlerContext,
): Promise<{ candidates: MatchCandidate[] }> {
  const { homeRegion, marketId } = await locator.locate(rideId, context);
  const { candidates } = await ask(context, (options) => directory.matching(homeRegion).explainMatch({ marketId, rideId }, options));
  return { candidates };
}
