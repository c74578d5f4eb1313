/**
 * What was last believed of each driver, and what of it is durable. Bounded: the driver unheard for longest is
 * forgotten first, and then anything of theirs is believed once (readers of the topic compare times themselves).
 */
import { putBounded } from "@ridegrid/domain";
import type { Mark } from "./judge-position.ts";

export interface DriverMarks {
  /** The newest position that was accepted, durable or not. */
  accepted(driverId: string): Mark | null;
  /** The highest durable sequence of the driver's current shift; 0 when there is none. */
  durableSequence(driverId: string): number;
  accept(driverId: string, mark: Mark): void;
  /** A new shift counts from the start: what came before is not acknowledged in it. */
  startOver(driverId: string): void;
  settle(driverId: string, mark: Mark): void;
  /** What was accepted and is not durable is taken back, so that it can be reported again. */
  rollBack(driverId: string): void;
}

type Entry = { accepted: Mark | null; durable: Mark | null };

export function createDriverMarks(capacity: number): DriverMarks {
  const entries = new Map<string, Entry>();

  function touch(driverId: string): Entry {
    const known = entries.get(driverId);
    // While half of the map is free, nobody will be forgotten soon.
    if (known !== undefined && entries.size <= capacity / 2) return known;
    const entry = known ?? { accepted: null, durable: null };
    putBounded(entries, [driverId, entry], capacity);
    return entry;
  }

  return {
    accepted: (driverId) => entries.get(driverId)?.accepted ?? null,
    durableSequence: (driverId) => entries.get(driverId)?.durable?.sequence ?? 0,
    accept(driverId, mark) {
      touch(driverId).accepted = mark;
    },
    startOver(driverId) {
      entries.delete(driverId);
    },
    settle(driverId, mark) {
      const entry = entries.get(driverId);
      // A shift that began since then does not count the old one's sequence as its own.
      if (entry?.accepted && entry.accepted.sequence >= mark.sequence) entry.durable = mark;
    },
    rollBack(driverId) {
      const entry = entries.get(driverId);
      if (entry === undefined) return;
      if (entry.durable === null) entries.delete(driverId);
      else entry.accepted = entry.durable;
    },
  };
}
