/**
 * A ride's versions after a cursor, each once and in order, taken from the tables a page at a time.
 *
 * Between calls it holds one ride and nothing else. A version that is no longer kept ends in a reset: the ride as it
 * is, with what was skipped said.
 */
import { decodeRideEvent } from "@ridegrid/contracts";
import { evolveRide, type Ride } from "@ridegrid/domain";
import { watchPageVersions } from "./limits.ts";
import type { RideStore } from "./ride-store.ts";

export type RideStep = { readonly ride: Ride; readonly reset: boolean };

export interface RideFollower {
  /** What is new since the last call; call again after `watchPageVersions` steps or more, for there may be another page. */
  advance(): Promise<readonly RideStep[]>;
  /** The ride at the last version told; null while it is unknown or behind the cursor. */
  current(): Ride | null;
}

export type RideFollowerOptions = { readonly store: RideStore; readonly rideId: string; readonly cursor: number | null };

export function createRideFollower({ store, rideId, cursor }: RideFollowerOptions): RideFollower {
  let at: Ride | null = null;

  async function begin(): Promise<readonly RideStep[]> {
    const view = await store.ride(rideId);
    // A cursor ahead of the view waits: the client has seen more than this model has folded.
    if (view === null || (cursor !== null && view.version < cursor)) return [];
    if (cursor === null || cursor === view.version) {
      at = view;
      return cursor === null ? [{ ride: view, reset: false }] : [];
    }
    at = await foldTo(store, rideId, cursor);
    return at === null ? reset() : next();
  }

  async function next(): Promise<readonly RideStep[]> {
    const steps: RideStep[] = [];
    const events = at === null ? [] : await store.eventsAfter(rideId, at.version, watchPageVersions);
    for (const { version, payload } of events) {
      if (at === null || version !== at.version + 1) return [...steps, ...(await reset())];
      at = evolveRide(at, decodeRideEvent(payload).event);
      steps.push({ ride: at, reset: false });
    }
    return steps;
  }

  async function reset(): Promise<readonly RideStep[]> {
    at = await store.ride(rideId);
    return at === null ? [] : [{ ride: at, reset: true }];
  }

  return { advance: () => (at === null ? begin() : next()), current: () => at };
}

/** The ride as it was at a version; null when an event up to there is no longer kept. */
async function foldTo(store: RideStore, rideId: string, version: number): Promise<Ride | null> {
  let ride: Ride | null = null;
  for (;;) {
    const folded: number = ride?.version ?? 0;
    const events = await store.eventsAfter(rideId, folded, Math.min(watchPageVersions, version - folded));
    for (const event of events) {
      if (event.version !== (ride?.version ?? 0) + 1) return null;
      ride = evolveRide(ride, decodeRideEvent(event.payload).event);
    }
    if (ride?.version === version) return ride;
    if (events.length === 0) return null;
  }
}
