/**
 * Which position stream of a driver is the newest, whatever gateway carries it: two phones of one driver must not pull
 * his car to and fro. Stream ids are UUIDv7, so the greater is the newer. Bounded: the driver unheard for longest is
 * forgotten first.
 */
import { putBounded } from "@ridegrid/domain";

export interface StreamOrder {
  /** Remembers the stream when it is the newest. A batch without a stream belongs to none and supersedes none. */
  isNewest(driverId: string, streamId: string): boolean;
}

export function createStreamOrder(capacity: number): StreamOrder {
  const newest = new Map<string, string>();
  return {
    isNewest(driverId, streamId) {
      if (streamId === "") return true;
      const known = newest.get(driverId);
      // While half of the map is free, nobody will be forgotten soon.
      if (known === streamId && newest.size <= capacity / 2) return true;
      if (known !== undefined && known > streamId) return false;
      putBounded(newest, [driverId, streamId], capacity);
      return true;
    },
  };
}
