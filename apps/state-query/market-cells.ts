/** The newest supply and demand of each market, as `market-state.v1` told it: each record is whole. Memory only, one entry a market. */
import { msFromTimestamp } from "@ridegrid/contracts";
import type { MarketState, MarketStateCell } from "@ridegrid/contracts/gen/event/v1/events_pb";
import { marketStateShownMaxMs } from "./limits.ts";

export interface MarketCells {
  apply(state: MarketState): void;
  /** Empty when nothing was told for long: matching is away, and its last word says nothing about now. */
  of(marketId: string, nowMs: number): readonly MarketStateCell[];
}

/** Records of markets other than `marketIds` are passed over. */
export function createMarketCells(marketIds: readonly string[]): MarketCells {
  const served = new Set(marketIds);
  const newest = new Map<string, { readonly asOfMs: number; readonly cells: readonly MarketStateCell[] }>();
  return {
    apply({ marketId, asOf, cells }) {
      const asOfMs = msFromTimestamp(asOf) ?? 0;
      if (served.has(marketId) && asOfMs >= (newest.get(marketId)?.asOfMs ?? 0)) newest.set(marketId, { asOfMs, cells });
    },
    of(marketId, nowMs) {
      const known = newest.get(marketId);
      return known === undefined || nowMs - known.asOfMs > marketStateShownMaxMs ? [] : known.cells;
    },
  };
}
