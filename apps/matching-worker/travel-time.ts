/** How long a car takes from one point to another; the port behind which a street network comes later. */
import type { LatLng } from "@ridegrid/domain";

export interface TravelTime {
  /** Estimated seconds, never negative. */
  seconds(from: LatLng, to: LatLng): number;
  /** No two points farther apart than this, in a straight line, are that close in time. */
  reachMeters(seconds: number): number;
}
