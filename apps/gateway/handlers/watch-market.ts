/**
 * `OpsService.WatchMarket`: the map feed of the market's home region, with heartbeats while it is quiet. A restart of
 * state-query shows as a snapshot.
 */
import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { type WatchMarketRequest, type WatchMarketResponse, WatchMarketResponseSchema } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import type { Random } from "@ridegrid/domain";
import { apiError, onBehalfOf, type ServiceDirectory, type ServingRegions } from "@ridegrid/rpc";
import type { Regions } from "@ridegrid/spatial";
import { withHeartbeats } from "../heartbeats.ts";
import { resumedStream, untilServedElsewhere } from "../resumed-stream.ts";

export type WatchMarketDeps = {
  readonly regions: Regions;
  readonly directory: ServiceDirectory;
  readonly serving: Pick<ServingRegions, "change" | "of">;
  readonly random: Random;
  readonly heartbeatIntervalMs: number;
};

export async function* watchMarket(deps: WatchMarketDeps, command: WatchMarketRequest, context: HandlerContext): AsyncIterable<WatchMarketResponse> {
  const heartbeat = (): WatchMarketResponse => create(WatchMarketResponseSchema);
  yield* withHeartbeats(updates(deps, command, context), { intervalMs: deps.heartbeatIntervalMs, heartbeat });
}

async function* updates({ regions, directory, serving, random }: WatchMarketDeps, command: WatchMarketRequest, context: HandlerContext) {
  const market = regions.market(command.marketId);
  if (market === undefined) throw apiError("FIELD_INVALID", `There is no market "${command.marketId}"`, { field: "market_id" });
  const messages = resumedStream({
    open: (signal) => {
      const change = serving.change();
      return untilServedElsewhere(directory.state(serving.of(market.homeRegion)).watchMarket({ command }, { ...onBehalfOf(context), signal }), change);
    },
    onMessage: () => {},
    isComplete: () => false,
    signal: context.signal,
    random,
  });
  for await (const { message } of messages) if (message !== undefined) yield message;
}
