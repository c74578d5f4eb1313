/**
 * Which trace a ride's search belongs to: the one its first event came with. In memory and bounded; a ride known from a
 * snapshot only has none until its next event.
 */
import { putBounded } from "@ridegrid/domain";
import type { StoredRecord } from "@ridegrid/eventlog";
import { ridesTracedMax } from "./limits.ts";

export interface RideTraces {
  /** Takes note of records of `ride-events.v1`, and answers the `traceparent`s of rides that act in another trace now: an accept, a cancellation. */
  note(records: readonly StoredRecord[]): readonly string[];
  /** Empty when unknown. */
  of(rideId: string): string;
}

export function createRideTraces(): RideTraces {
  const traces = new Map<string, string>();
  return {
    note(records) {
      const followedUp = new Set<string>();
      for (const { key, headers } of records) {
        const arrived = headers["traceparent"];
        if (arrived === undefined) continue;
        const known = traces.get(key);
        if (known === undefined) putBounded(traces, [key, arrived], ridesTracedMax);
        else if (traceIdOf(known) !== traceIdOf(arrived)) followedUp.add(known);
      }
      return [...followedUp];
    },
    of: (rideId) => traces.get(rideId) ?? "",
  };
}

function traceIdOf(traceparent: string): string {
  return traceparent.slice(3, 35);
}
