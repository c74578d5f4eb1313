/** Supply and demand of a market by H3 cell, as `market-state.v1` carries them. Surge is 1 until pricing derives it. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@ridegrid/contracts";
import { type MarketState as WireMarketState, MarketStateSchema } from "@ridegrid/contracts/gen/event/v1/events_pb";
import { availableFlag } from "./driver-book.ts";
import { positionFreshMs } from "./limits.ts";
import type { MarketState } from "./market-state.ts";

export type CellCount = { readonly cell: string; readonly supply: number; readonly demand: number };

/** Supply: available drivers with a fresh position. Demand: rides without a driver yet. In order of cells. */
export function countCells({ drivers, rides, cells }: MarketState, nowMs: number): readonly CellCount[] {
  cells.trim();
  const counts: { supply: number; demand: number }[] = [];
  const countAt = (x: number, y: number) => (counts[cells.at(x, y)] ??= { supply: 0, demand: 0 });
  const { points, projection } = drivers;
  const { x, y, flags, observedAtMs } = points.columns;
  const freshAfterMs = nowMs - positionFreshMs;
  for (let slot = 0; slot < points.slotEnd; slot++) {
    if (flags[slot] === availableFlag && (observedAtMs[slot] ?? 0) > freshAfterMs) countAt(x[slot] ?? 0, y[slot] ?? 0).supply++;
  }
  for (const status of ["requested", "offered"] as const) {
    for (const ride of rides.inStatus(status).values()) {
      const pickup = projection.toLocal(ride.pickup);
      countAt(Math.fround(pickup.x), Math.fround(pickup.y)).demand++;
    }
  }
  return counts.flatMap((both, cell) => [{ cell: cells.name(cell), ...both }]).sort((a, b) => (a.cell < b.cell ? -1 : 1));
}

export function marketStateMessage(facts: {
  readonly marketId: string;
  readonly cells: readonly CellCount[];
  readonly pickupEtaSeconds: number;
  readonly nowMs: number;
}): WireMarketState {
  const { marketId, cells, pickupEtaSeconds, nowMs } = facts;
  return create(MarketStateSchema, { marketId, asOf: timestampFromMs(nowMs), cells: cells.map((cell) => ({ ...cell, surgeMultiplier: 1 })), pickupEtaSeconds });
}
