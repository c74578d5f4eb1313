/**
 * `RiderService.WatchRide`: the feed of the ride's home region, with the PIN put in, heartbeats while it is quiet, and
 * a restart of state-query hidden behind its cursor.
 */
import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { type WatchRideRequest, type WatchRideResponse, WatchRideResponseSchema } from "@ridegrid/contracts/gen/rider/v1/rider_service_pb";
import { RideStatus } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import type { Random } from "@ridegrid/domain";
import { onBehalfOf, reasonOf, type ServiceDirectory, type ServingRegions } from "@ridegrid/rpc";
import { isAway } from "../dependency.ts";
import { withHeartbeats } from "../heartbeats.ts";
import { resumedStream, untilServedElsewhere } from "../resumed-stream.ts";
import type { RideLocator } from "../ride-locator.ts";
import { withPin } from "../ride-pins.ts";
import type { RideReader } from "../ride-reader.ts";

export type WatchRideDeps = {
  readonly directory: ServiceDirectory;
  readonly locator: RideLocator;
  readonly reader: RideReader;
  readonly serving: Pick<ServingRegions, "change">;
  readonly random: Random;
  readonly pinSecret: string;
  readonly heartbeatIntervalMs: number;
};

/** Where the stream is: what a reconnect needs. */
type Place = { cursor: string; ended: boolean };

export async function* watchRide(deps: WatchRideDeps, { rideId, cursor }: WatchRideRequest, context: HandlerContext): AsyncIterable<WatchRideResponse> {
  // Refuses another person's ride before anything of it is sent, a driver's location included.
  await deps.reader.read(rideId, 0n, context);
  const place: Place = { cursor, ended: false };
  const heartbeat = (): WatchRideResponse => create(WatchRideResponseSchema, { cursor: place.cursor, update: { case: "heartbeat", value: {} } });
  for await (const message of withHeartbeats(updates(deps, { rideId, place }, context), { intervalMs: deps.heartbeatIntervalMs, heartbeat })) {
    yield message.update.case === "ride" ? { ...message, update: { case: "ride", value: withPin(message.update.value, deps.pinSecret) } } : message;
  }
}

async function* updates(
  deps: WatchRideDeps,
  { rideId, place }: { readonly rideId: string; readonly place: Place },
  context: HandlerContext,
): AsyncIterable<WatchRideResponse> {
  const messages = resumedStream({
    async open(signal) {
      const change = deps.serving.change();
      const { homeRegion } = await deps.locator.locate(rideId, context);
      const command = { rideId, cursor: place.cursor };
      return untilServedElsewhere(deps.directory.state(homeRegion).watchRide({ region: homeRegion, command }, { ...onBehalfOf(context), signal }), change);
    },
    onMessage: ({ message }) => advance(place, message),
    isComplete: () => place.ended,
    isBreak(error) {
      // Its home region may have been taken over, or the read model may be behind: the ride was found above.
      if (isAway(error)) deps.locator.forget(rideId);
      return reasonOf(error) === "RIDE_NOT_FOUND";
    },
    signal: context.signal,
    random: deps.random,
  });
  for await (const { message } of messages) if (message !== undefined) yield message;
}

const endedStatuses: ReadonlySet<RideStatus> = new Set([RideStatus.COMPLETED, RideStatus.CANCELED, RideStatus.NO_DRIVERS]);

function advance(place: Place, message: WatchRideResponse | undefined): void {
  if (message === undefined) return;
  if (message.cursor !== "") place.cursor = message.cursor;
  if (message.update.case === "ride") place.ended = endedStatuses.has(message.update.value.status);
}
