/** `OpsService.WatchMarket`: the map feed of the market's home region. */
import type { HandlerContext } from "@connectrpc/connect";
import type { WatchMarketRequest, WatchMarketResponse } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { apiError, onBehalfOf, type ServiceDirectory } from "@ridegrid/rpc";
import type { Regions } from "@ridegrid/spatial";

export type WatchMarketDeps = { readonly regions: Regions; readonly directory: ServiceDirectory };

export async function* watchMarket(
  { regions, directory }: WatchMarketDeps,
  command: WatchMarketRequest,
  context: HandlerContext,
): AsyncIterable<WatchMarketResponse> {
  const market = regions.market(command.marketId);
  if (market === undefined) throw apiError("FIELD_INVALID", `There is no market "${command.marketId}"`, { field: "market_id" });
  const left = new AbortController();
  const signal = AbortSignal.any([context.signal, left.signal]);
  try {
    for await (const { message } of directory.state(market.homeRegion).watchMarket({ command }, { ...onBehalfOf(context), signal }))
      if (message !== undefined) yield message;
  } finally {
    left.abort();
  }
}
