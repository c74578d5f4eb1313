/**
 * `DriverService.WatchOffers`: the feed of the region where the driver's shift is at home. It follows the driver to
 * another region, outlives a restart of state-query, and has heartbeats while it is quiet.
 */
import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { type WatchOffersRequest, type WatchOffersResponse, WatchOffersResponseSchema } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { DriverStatus } from "@ridegrid/contracts/gen/type/v1/driver_pb";
import type { Random } from "@ridegrid/domain";
import { callerOf, onBehalfOf, type ServiceDirectory, type ServingRegions, untilAborted } from "@ridegrid/rpc";
import { ask, isAway } from "../dependency.ts";
import { withHeartbeats } from "../heartbeats.ts";
import { relocateIntervalMs } from "../limits.ts";
import { resumedStream, untilServedElsewhere } from "../resumed-stream.ts";
import { withoutPin } from "../ride-pins.ts";
import type { ShiftMoves } from "../shift-moves.ts";

export type WatchOffersDeps = {
  /** Where a driver is looked for who never had a shift. */
  readonly region: string;
  readonly directory: ServiceDirectory;
  readonly moves: ShiftMoves;
  readonly serving: Pick<ServingRegions, "change">;
  readonly random: Random;
  readonly heartbeatIntervalMs: number;
};

/** Where the stream is: what a reconnect or a move needs. */
type Place = { readonly driverId: string; cursor: string; region: string | undefined; offline: boolean };

export async function* watchOffers(deps: WatchOffersDeps, { cursor }: WatchOffersRequest, context: HandlerContext): AsyncIterable<WatchOffersResponse> {
  const place: Place = { driverId: callerOf(context).principal, cursor, region: undefined, offline: true };
  const heartbeat = (): WatchOffersResponse => create(WatchOffersResponseSchema, { cursor: place.cursor, update: { case: "heartbeat", value: {} } });
  for await (const message of withHeartbeats(updates(deps, place, context), { intervalMs: deps.heartbeatIntervalMs, heartbeat })) yield shown(message);
}

async function* updates(deps: WatchOffersDeps, place: Place, context: HandlerContext): AsyncIterable<WatchOffersResponse> {
  const messages = resumedStream({
    async open(signal) {
      const change = deps.serving.change();
      const region = await locate(deps, place, context);
      place.region = region;
      const source = deps.directory
        .state(region)
        .watchDriver({ region, driverId: place.driverId, command: { cursor: place.cursor } }, { ...onBehalfOf(context), signal });
      return untilServedElsewhere(untilMoved(deps, place, { source, signal, context }), change);
    },
    onMessage: ({ message }) => advance(place, message),
    isComplete: () => false,
    signal: context.signal,
    random: deps.random,
  });
  for await (const { message } of messages) if (message !== undefined) yield message;
}

/** The region known so far serves while the coordinator is away. */
async function locate({ directory, region }: WatchOffersDeps, place: Place, context: HandlerContext): Promise<string> {
  try {
    const { homeRegion } = await ask(context, (options) => directory.coordinator().locateDriver({ driverId: place.driverId }, options));
    return homeRegion === "" ? region : homeRegion;
  } catch (error) {
    if (place.region !== undefined && isAway(error)) return place.region;
    throw error;
  }
}

type Attempt<T> = { readonly source: AsyncIterable<T>; readonly signal: AbortSignal; readonly context: HandlerContext };

/** Ends, without an error, when the driver's shift is found to be at home elsewhere. */
async function* untilMoved<T>(deps: WatchOffersDeps, place: Place, { source, signal, context }: Attempt<T>): AsyncIterable<T> {
  const moved = new AbortController();
  const look = (homeRegion: string): void => {
    if (homeRegion !== place.region) moved.abort("moved");
  };
  const poll = setInterval(() => {
    // On shift, the shift's region tells everything; only an offline driver can begin one elsewhere.
    if (place.offline) locate(deps, place, context).then(look, () => {});
  }, relocateIntervalMs);
  const stop = deps.moves.listen(place.driverId, look);
  try {
    yield* untilAborted(source, moved.signal);
  } catch (error) {
    if (signal.aborted || !moved.signal.aborted) throw error;
  } finally {
    clearInterval(poll);
    stop();
  }
}

function advance(place: Place, message: WatchOffersResponse | undefined): void {
  if (message === undefined) return;
  if (message.cursor !== "") place.cursor = message.cursor;
  if (message.update.case === "driver") place.offline = message.update.value.status === DriverStatus.OFFLINE;
}

function shown(message: WatchOffersResponse): WatchOffersResponse {
  switch (message.update.case) {
    case "ride":
      return { ...message, update: { case: "ride", value: withoutPin(message.update.value) } };
    case "driver":
      return message.update.value.ride === undefined
        ? message
        : { ...message, update: { case: "driver", value: { ...message.update.value, ride: withoutPin(message.update.value.ride) } } };
    default:
      return message;
  }
}
