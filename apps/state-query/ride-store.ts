/**
 * What is kept of rides in one home region. Writing happens inside the consumer's transaction; readers see whole
 * batches. It knows no rule of a ride's life.
 */
import type { LatLng, Ride, RideStatus } from "@ridegrid/domain";
import type { Queryable } from "@ridegrid/eventlog";
import type { FoldState } from "./fold-ride.ts";
import type { RideRecord } from "./ride-record.ts";

/** A page is bounded by `limit`; `after` is the last ride of the page before. */
export type RideSearch = {
  readonly statuses: readonly RideStatus[];
  readonly marketId: string;
  readonly riderId: string;
  readonly driverId: string;
  readonly openOnly: boolean;
  /** Picked up in here; null is everywhere. */
  readonly area: { readonly center: LatLng; readonly radiusMeters: number } | null;
  readonly limit: number;
  readonly after: { readonly createTimeMs: number; readonly rideId: string } | null;
};

export type TimelineRow = {
  readonly type: string;
  readonly version: number;
  readonly occurTimeMs: number;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly outboxId: number;
  readonly driverId: string | null;
  readonly traceId: string;
  readonly eventId: string;
};

export type Violation = { readonly invariant: string; readonly rideId: string; readonly detail: string };

/** What one batch changes; rides that stay as they are do not appear. */
export type RideWrites = {
  readonly rides: readonly Ride[];
  readonly applied: readonly RideRecord[];
  readonly parked: readonly RideRecord[];
  readonly unparked: readonly { readonly rideId: string; readonly version: number }[];
};

export interface RideStore {
  ride(rideId: string): Promise<Ride | null>;
  /** Those of the rides that there are. */
  many(rideIds: readonly string[]): Promise<readonly Ride[]>;
  /** Payloads of the events after a version, in order; at most `limit`. */
  eventsAfter(rideId: string, version: number, limit: number): Promise<readonly { readonly version: number; readonly payload: Uint8Array }[]>;
  search(search: RideSearch): Promise<readonly Ride[]>;
  timeline(rideId: string, limit: number): Promise<readonly TimelineRow[]>;
  /** Parked rides, rides held up by a dead letter, and views that are not at their last event. */
  violations(limit: number): Promise<readonly Violation[]>;
  parkedRides(): Promise<number>;
  /** When the newest record folded from a partition was appended; null before the first. */
  lastAppendMs(partition: number): Promise<number | null>;
  /** Rides whose events were folded from offsets in [from, to) of a partition. */
  changedBetween(partition: number, from: number, to: number, limit: number): Promise<readonly string[]>;
  /** Every ride, in order of id; as `from` sees them when it is a transaction. */
  all(from?: Queryable): AsyncIterable<readonly Ride[]>;
  load(tx: Queryable, rideIds: readonly string[]): Promise<ReadonlyMap<string, FoldState>>;
  write(tx: Queryable, writes: RideWrites): Promise<void>;
}
