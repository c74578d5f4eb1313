/**
 * Follows a market of this region: a snapshot, then about once a second what changed, in one message however long the
 * reader was away. A stream costs its revision.
 */
import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { optionalTime } from "@ridegrid/contracts";
import { type WatchMarketRequest, type WatchMarketResponse, WatchMarketResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { apiError, callerOf } from "@ridegrid/rpc";
import { marketsWithinReach } from "@ridegrid/spatial";
import { watchRecheckMs } from "../limits.ts";
import type { StateQueryParts } from "../state-query-parts.ts";

export async function* watchMarket(parts: StateQueryParts, request: WatchMarketRequest, context: HandlerContext): AsyncGenerator<WatchMarketResponse> {
  const marketId = request.command?.marketId ?? "";
  requireOperator(marketId, callerOf(context).role);
  if (!marketsWithinReach(parts.regions, parts.region).some((market) => market.marketId === marketId)) {
    throw apiError("FIELD_INVALID", `Cannot follow market "${marketId}" here: it is none of region "${parts.region}"`, { field: "command.market_id" });
  }
  const subscription = parts.wakeups.subscribe(`market:${marketId}`);
  try {
    const feed = await parts.markets.watch(marketId);
    try {
      for (let seen: number | null = null; ;) {
        const change = feed.board.since(seen);
        seen = feed.board.revision();
        if (change !== null) yield create(WatchMarketResponseSchema, { message: { ...change, ...optionalTime("asOf", await parts.reach.asOfMs()) } });
        await subscription.next(watchRecheckMs, context.signal);
      }
    } finally {
      feed.leave();
    }
  } finally {
    subscription.close();
  }
}

function requireOperator(marketId: string, role: string): void {
  const allowed = role === "operator" || role === "viewer" || role === "service";
  if (!allowed) throw apiError("ROLE_NOT_ALLOWED", `Cannot follow market "${marketId}" as "${role}"`);
}
