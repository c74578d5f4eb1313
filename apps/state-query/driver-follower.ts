/**
 * A driver's versions after a cursor, each once and in order, taken from the tables a page at a time.
 *
 * Between calls it holds one cursor. Versions that are not kept here, or that happened in another region, end in a
 * reset: the driver as it is. The messages of a snapshot name how many of them were sent, so that a stream cut between
 * them goes on with the rest.
 */
import { type DriverCursor, driverCursor } from "./cursor.ts";
import type { DriverStore, StoredDriverEvent } from "./driver-store.ts";
import { type DriverUpdate, snapshotOf, unknownDriverUpdate, updateOfVersion } from "./driver-updates.ts";
import { watchPageVersions } from "./limits.ts";

export type DriverStep = { readonly cursor: string; readonly reset: boolean; readonly update: DriverUpdate };

export interface DriverFollower {
  /** What is new since the last call; call again after `watchPageVersions` steps or more, for there may be another page. */
  advance(nowMs: number): Promise<readonly DriverStep[]>;
}

export type DriverFollowerOptions = { readonly store: DriverStore; readonly driverId: string; readonly cursor: DriverCursor | null };

export function createDriverFollower({ store, driverId, cursor }: DriverFollowerOptions): DriverFollower {
  let at: number | null = null;

  async function begin(nowMs: number): Promise<readonly DriverStep[]> {
    const latest = await store.latest(driverId);
    if (cursor === null) {
      if (latest !== null) return snapshot(latest, { from: 0, reset: false, nowMs });
      at = 0;
      return [{ cursor: driverCursor({ version: 0, partsSent: null }), reset: false, update: unknownDriverUpdate(driverId) }];
    }
    // A cursor ahead of the view waits: the client has seen more than this model has folded.
    if ((latest?.version ?? 0) < cursor.version) return [];
    if (cursor.partsSent !== null) return await finishSnapshot(cursor.version, cursor.partsSent, nowMs);
    at = cursor.version;
    const steps = await next(nowMs);
    return steps.length === 0 && latest !== null && latest.version > cursor.version ? await reset(nowMs) : steps;
  }

  async function finishSnapshot(version: number, from: number, nowMs: number): Promise<readonly DriverStep[]> {
    const [event] = await store.eventsFrom(driverId, version, 1);
    return event?.version === version ? snapshot(event, { from, reset: false, nowMs }) : await reset(nowMs);
  }

  async function next(nowMs: number): Promise<readonly DriverStep[]> {
    const steps: DriverStep[] = [];
    for (const { version, payload } of await store.eventsFrom(driverId, (at ?? 0) + 1, watchPageVersions)) {
      if (version !== (at ?? 0) + 1) return [...steps, ...(await reset(nowMs))];
      at = version;
      steps.push({ cursor: driverCursor({ version, partsSent: null }), reset: false, update: updateOfVersion(payload, nowMs) });
    }
    return steps;
  }

  async function reset(nowMs: number): Promise<readonly DriverStep[]> {
    const latest = await store.latest(driverId);
    return latest === null ? [] : snapshot(latest, { from: 0, reset: true, nowMs });
  }

  function snapshot(event: StoredDriverEvent, options: { readonly from: number; readonly reset: boolean; readonly nowMs: number }): readonly DriverStep[] {
    at = event.version;
    const { version } = event;
    const parts = snapshotOf(event.payload, options.nowMs);
    const steps = parts.map((update, index) => {
      const partsSent = index === parts.length - 1 ? null : index + 1;
      return { cursor: driverCursor({ version, partsSent }), reset: options.reset && index === 0, update };
    });
    return steps.slice(options.from);
  }

  return { advance: (nowMs) => (at === null ? begin(nowMs) : next(nowMs)) };
}
