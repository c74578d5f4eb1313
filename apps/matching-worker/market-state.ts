/**
 * What matching knows of one market, in memory only: a worker that gains the market's lease starts from a fresh
 * snapshot and the log from there on.
 */
import type { Driver, Ride } from "@ridegrid/domain";
import { type CsrGrid, createCsrGrid, type RegionMarket } from "@ridegrid/spatial";
import { type CandidateSearches, createCandidateSearches } from "./candidate-searches.ts";
import { type CellIndex, createCellIndex } from "./cell-index.ts";
import { createDriverBook, type DriverBook } from "./driver-book.ts";
import { createEtaHeap, type EtaHeap } from "./eta-heap.ts";
import { createProposalBook, type ProposalBook } from "./proposal-book.ts";
import { createRideBook, type RideBook } from "./ride-book.ts";
import type { TravelTime } from "./travel-time.ts";

export type MarketState = {
  readonly market: RegionMarket;
  readonly travelTime: TravelTime;
  readonly rides: RideBook;
  readonly drivers: DriverBook;
  readonly proposals: ProposalBook;
  /** Over the drivers who could be asked in the last tick. */
  readonly grid: CsrGrid;
  /** Working space of a tick, and between ticks of whoever asks for a pickup's estimate. */
  readonly searches: CandidateSearches;
  readonly heap: EtaHeap;
  readonly cells: CellIndex;
  /** Since when every position that was reported is known here; null while that is not so. */
  hearingSinceMs: number | null;
};

export type Snapshot = { readonly rides: readonly Ride[]; readonly drivers: readonly Driver[]; readonly asOfMs: number };

export function createMarketState(market: RegionMarket, travelTime: TravelTime): MarketState {
  const proposals = createProposalBook();
  const drivers = createDriverBook(market);
  const rides = createRideBook((before, after) => {
    if (after !== null) proposals.settle(after);
    const [heldBefore, heldNow] = [before?.offer?.driverId, after?.offer?.driverId];
    if (heldBefore === heldNow) return;
    if (before !== null && heldBefore !== undefined) drivers.letGo(heldBefore, before.rideId);
    if (after !== null && heldNow !== undefined) drivers.hold(heldNow, after.rideId);
  });
  const grid = createCsrGrid();
  const searches = createCandidateSearches({ ...drivers, grid, travelTime, etaMaxSeconds: market.policy.pickupEtaMaxSeconds });
  const cells = createCellIndex(drivers.projection);
  return { market, travelTime, rides, drivers, proposals, grid, searches, heap: createEtaHeap(), cells, hearingSinceMs: null };
}

export function applySnapshot(state: MarketState, { rides, drivers, asOfMs }: Snapshot): void {
  state.rides.replace(
    rides.filter(({ marketId }) => marketId === state.market.marketId),
    asOfMs,
  );
  state.drivers.replace(drivers);
}
