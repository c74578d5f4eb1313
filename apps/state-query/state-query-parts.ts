/** What the handlers share: the region's stores, its watchers, and what is known of how complete the model is. */
import type { EventLog } from "@ridegrid/eventlog";
import { apiError } from "@ridegrid/rpc";
import type { ProcessContext, ReadinessPart, Sql } from "@ridegrid/runtime";
import type { Regions } from "@ridegrid/spatial";
import type { DriverPlaces } from "./driver-places.ts";
import type { DriverStore } from "./driver-store.ts";
import type { HotRides } from "./hot-rides.ts";
import type { LastPositions } from "./last-positions.ts";
import type { MarketCells } from "./market-cells.ts";
import type { MarketFeeds } from "./market-feeds.ts";
import type { Reach } from "./reach.ts";
import type { Rebuilds } from "./rebuilds.ts";
import type { ReadCache } from "./read-cache.ts";
import type { RideStore } from "./ride-store.ts";
import type { Wakeups } from "./wakeups.ts";

export type StateQueryParts = {
  readonly context: ProcessContext;
  readonly name: string;
  readonly region: string;
  readonly regions: Regions;
  /** Partitions of the region that have markets, in order. */
  readonly partitions: readonly number[];
  readonly sql: Sql;
  readonly eventLog: EventLog;
  readonly rides: RideStore;
  readonly cache: ReadCache;
  readonly hotRides: HotRides;
  readonly drivers: DriverStore;
  readonly places: DriverPlaces;
  readonly wakeups: Wakeups;
  readonly positions: LastPositions;
  readonly cells: MarketCells;
  readonly markets: MarketFeeds;
  readonly rebuilds: Rebuilds;
  readonly reach: Reach;
  readonly readiness: () => readonly ReadinessPart[];
  readonly startedAtMs: () => number;
};

/** @throws FIELD_INVALID when the caller asked the wrong region's service. */
export function requireRegion(parts: StateQueryParts, region: string): void {
  if (region !== parts.region) throw apiError("FIELD_INVALID", `Cannot read region "${region}" here: this is ${parts.name}`, { field: "region" });
}
