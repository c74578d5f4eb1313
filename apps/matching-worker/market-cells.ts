/** Supply and demand of a market by H3 cell, as `market-state.v1` carries them. Surge is 1 until pricing derives it. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@ridegrid/contracts";
import { type MarketState as WireMarketState, MarketStateSchema } from "@ridegrid/contracts/gen/event/v1/events_pb";
import type { LatLng } from "@ridegrid/domain";
import { cellAt } from "@ridegrid/spatial";
import { availableFlag } from "./driver-book.ts";
import { marketCellResolution, positionFreshMs } from "./limits.ts";
import type { MarketState } from "./market-state.ts";

export type CellCount = { readonly cell: string; readonly supply: number; readonly demand: number };

/** Supply: available drivers with a fresh position. Demand: rides without a driver yet. In order of cells. */
export function countCells({ drivers, rides }: MarketState, nowMs: number): readonly CellCount[] {
  const counts = new Map<string, { supply: number; demand: number }>();
  const count = (at: LatLng, kind: "supply" | "demand"): void => {
    const cell = cellAt(at, marketCellResolution);
    const known = counts.get(cell) ?? { supply: 0, demand: 0 };
    known[kind]++;
    counts.set(cell, known);
  };
  const { x, y, flags, observedAtMs } = drivers.points.columns;
  for (let slot = 0; slot < drivers.points.slotEnd; slot++) {
    const isSupply = flags[slot] === availableFlag && (observedAtMs[slot] ?? 0) > nowMs - positionFreshMs;
    if (isSupply) count(drivers.projection.toLatLng({ x: x[slot] ?? 0, y: y[slot] ?? 0 }), "supply");
  }
  for (const ride of rides.rides.values()) if (ride.status === "requested" || ride.status === "offered") count(ride.pickup, "demand");
  return [...counts].map(([cell, both]) => ({ cell, ...both })).sort((a, b) => (a.cell < b.cell ? -1 : 1));
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
