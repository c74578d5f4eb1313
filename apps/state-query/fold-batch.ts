/**
 * The effect of one batch of records, in the caller's transaction: rides by the next version, drivers by the highest.
 *
 * What cannot be applied is answered, not thrown; a failure of the database is thrown, and the whole batch is tried
 * again.
 */
import type { Queryable, StoredRecord } from "@ridegrid/eventlog";
import { decodeDriverRecord, type DriverRecord } from "./driver-record.ts";
import type { DriverStore } from "./driver-store.ts";
import { type FoldOutcome, foldRide } from "./fold-ride.ts";
import { decodeRideRecord, type RideRecord } from "./ride-record.ts";
import type { RideStore } from "./ride-store.ts";
import type { WatchKey } from "./wakeups.ts";

/** A record as it was read, with where. `topic` is the physical name. */
export type ReadRecord = StoredRecord & { readonly topic: string; readonly partition: number };

/** Where a dead record was read, and why it is dead. One that was parked has only the value kept of it. */
export type DeadRecord = { readonly record: ReadRecord; readonly reason: unknown };

export type FoldResult = {
  readonly changed: readonly WatchKey[];
  readonly dead: readonly DeadRecord[];
  readonly applied: number;
  readonly duplicates: number;
  /** Rides that this batch found a gap in, with the version that is missing. */
  readonly gaps: readonly { readonly rideId: string; readonly missing: number }[];
  /** Whether the number of parked rides may have changed. */
  readonly parkingChanged: boolean;
};

export async function foldRideBatch(store: RideStore, tx: Queryable, records: readonly ReadRecord[]): Promise<FoldResult> {
  const { decoded, dead } = decodeAll(records, (record) => decodeRideRecord(record.value, sourceOf(record)));
  const arrivals = Map.groupBy(decoded, (record) => record.event.rideId as string);
  const states = await store.load(tx, [...arrivals.keys()]);
  const outcomes = [...arrivals].map(([rideId, ofRide]) => ({ rideId, outcome: foldRide(states.get(rideId) ?? { ride: null, parked: [] }, ofRide) }));
  const changed = outcomes.filter(({ outcome }) => outcome.applied.length > 0);
  const all = outcomes.map(({ outcome }) => outcome);
  await store.write(tx, {
    rides: changed.flatMap(({ outcome }) => outcome.ride ?? []),
    applied: all.flatMap((outcome) => outcome.applied),
    parked: all.flatMap((outcome) => outcome.parked),
    unparked: outcomes.flatMap(({ rideId, outcome }) => outcome.unparked.map((version) => ({ rideId, version }))),
  });
  return {
    changed: changed.map(({ rideId }): WatchKey => `ride:${rideId}`),
    dead: [...dead, ...all.flatMap((outcome) => outcome.dead.map((one) => deadRide(one, records)))],
    applied: sum(all, (outcome) => outcome.applied.length),
    duplicates: sum(all, (outcome) => outcome.duplicates),
    gaps: outcomes.filter(({ outcome }) => outcome.parked.length > 0).map(({ rideId, outcome }) => ({ rideId, missing: (outcome.ride?.version ?? 0) + 1 })),
    parkingChanged: all.some((outcome) => outcome.parked.length > 0 || outcome.unparked.length > 0),
  };
}

export async function foldDriverBatch(store: DriverStore, tx: Queryable, records: readonly ReadRecord[]): Promise<FoldResult> {
  const { decoded, dead } = decodeAll(records, (record) => decodeDriverRecord(record.value, record));
  const moved = await store.write(tx, newestOfEachVersion(decoded));
  return {
    changed: moved.map((driverId): WatchKey => `driver:${driverId}`),
    dead,
    applied: decoded.length,
    duplicates: 0,
    gaps: [],
    parkingChanged: false,
  };
}

function decodeAll<T>(
  records: readonly ReadRecord[],
  decode: (record: ReadRecord) => T,
): { readonly decoded: readonly T[]; readonly dead: readonly DeadRecord[] } {
  const decoded: T[] = [];
  const dead: DeadRecord[] = [];
  for (const record of records) {
    try {
      decoded.push(decode(record));
    } catch (reason) {
      dead.push({ record, reason });
    }
  }
  return { decoded, dead };
}

function sourceOf(record: ReadRecord): RideRecord["source"] {
  const { topic, partition, offset, appendedAtMs } = record;
  const outboxId = Number(record.headers["outbox-id"] ?? 0);
  return { topic, partition, offset, appendedAtMs, outboxId: Number.isSafeInteger(outboxId) ? outboxId : 0 };
}

/** The record as it was read, or as it was parked: then its key is the ride's, and its headers are gone but for the trace. */
function deadRide({ record, reason }: FoldOutcome["dead"][number], records: readonly ReadRecord[]): DeadRecord {
  const { topic, partition, offset, appendedAtMs } = record.source;
  const read = records.find((one) => one.topic === topic && one.partition === partition && one.offset === offset);
  const headers = { "event-id": record.envelope.eventId, traceparent: record.envelope.traceparent };
  return { record: read ?? { topic, partition, offset, appendedAtMs, key: record.event.rideId, value: record.payload, headers }, reason };
}

/** One statement must not meet the same key twice. */
function newestOfEachVersion(records: readonly DriverRecord[]): readonly DriverRecord[] {
  return [...new Map(records.map((record) => [`${record.driverId}/${record.version}`, record])).values()];
}

function sum(outcomes: readonly FoldOutcome[], of: (outcome: FoldOutcome) => number): number {
  return outcomes.reduce((total, outcome) => total + of(outcome), 0);
}
