/** What is kept of drivers in one home region: the newest event of each, and a bounded history for streams that resume. */
import type { DriverStatus } from "@ridegrid/domain";
import type { Queryable } from "@ridegrid/eventlog";
import type { DriverRecord } from "./driver-record.ts";

export type StoredDriverEvent = { readonly version: number; readonly payload: Uint8Array };

export type MarketDriverRow = { readonly driverId: string; readonly status: DriverStatus };

export interface DriverStore {
  /** Drivers on shift in a market, in order of id; at most `limit`. */
  onShift(marketId: string, limit: number): Promise<readonly MarketDriverRow[]>;
  latest(driverId: string): Promise<StoredDriverEvent | null>;
  /** Events from a version on (inclusive), in order; at most `limit`. */
  eventsFrom(driverId: string, version: number, limit: number): Promise<readonly StoredDriverEvent[]>;
  /** Drivers whose events were folded from offsets in [from, to) of a partition. */
  changedBetween(partition: number, from: number, to: number, limit: number): Promise<readonly string[]>;
  /** The highest version of each driver wins, in whatever order events come. Answers the drivers that moved. */
  write(tx: Queryable, records: readonly DriverRecord[]): Promise<readonly string[]>;
  /** Deletes at most `limit` versions that are past their bounds, and says how many. */
  prune(bounds: DriverHistoryBounds, limit: number): Promise<number>;
}

/** Older than `olderMs` and beyond the last `versions`, or older than `oldestMs` whatever its version. Times are by the database's clock. */
export type DriverHistoryBounds = { readonly versions: number; readonly olderMs: number; readonly oldestMs: number };
