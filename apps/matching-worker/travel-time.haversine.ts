/** Travel time without streets: great-circle distance, stretched by the market's detour, at the market's speed. */
import { haversineMeters, type TravelModel } from "@ridegrid/domain";
import type { TravelTime } from "./travel-time.ts";

export function createHaversineTravelTime({ speedMps, detour }: TravelModel): TravelTime {
  return {
    seconds: (from, to) => (haversineMeters(from, to) * detour) / speedMps,
    reachMeters: (seconds) => (seconds * speedMps) / detour,
  };
}
