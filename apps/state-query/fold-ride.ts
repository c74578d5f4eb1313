/**
 * The fold of one ride, with its versions checked: the live proof that the relay skips nothing.
 *
 * Version last + 1 applies, one that is there already is dropped, and one beyond a gap is parked until what is missing
 * arrives. An event that breaks a rule is put aside as dead; what follows it then waits as beyond a gap. Pure.
 */
import { evolveRide, type Ride } from "@ridegrid/domain";
import type { RideRecord } from "./ride-record.ts";

export type FoldState = { readonly ride: Ride | null; readonly parked: readonly RideRecord[] };

export type FoldOutcome = {
  readonly ride: Ride | null;
  /** In order of version. */
  readonly applied: readonly RideRecord[];
  /** Parked now that were not before. */
  readonly parked: readonly RideRecord[];
  /** Versions that are parked no longer. */
  readonly unparked: readonly number[];
  readonly dead: readonly { readonly record: RideRecord; readonly reason: unknown }[];
  readonly duplicates: number;
};

export function foldRide(state: FoldState, arrivals: readonly RideRecord[]): FoldOutcome {
  const waiting = new Map(state.parked.map((record) => [record.event.version, record]));
  const applied: RideRecord[] = [];
  const dead: { record: RideRecord; reason: unknown }[] = [];
  let ride = state.ride;
  let duplicates = 0;

  const nextVersion = (): number => (ride?.version ?? 0) + 1;
  const apply = (record: RideRecord): void => {
    try {
      ride = evolveRide(ride, record.event);
      applied.push(record);
    } catch (reason) {
      dead.push({ record, reason });
    }
  };
  for (const record of arrivals) {
    const { version } = record.event;
    if (version < nextVersion() || waiting.has(version)) duplicates++;
    else if (version > nextVersion()) waiting.set(version, record);
    else apply(record);
    for (let next = waiting.get(nextVersion()); next !== undefined; next = waiting.get(nextVersion())) {
      waiting.delete(next.event.version);
      apply(next);
    }
  }
  const before = new Set(state.parked.map((record) => record.event.version));
  return {
    ride,
    applied,
    parked: [...waiting.values()].filter((record) => !before.has(record.event.version)),
    unparked: [...before].filter((version) => !waiting.has(version)),
    dead,
    duplicates,
  };
}
