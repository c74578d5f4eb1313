/** Where drivers were last recorded, to be found by place. What is here is seconds old, and what is old is forgotten. */
import type { LatLng } from "@ridegrid/domain";
import type { LastPosition } from "./last-positions.ts";

export type DriverPlace = { readonly driverId: string; readonly position: LastPosition };

export type NearestSearch = {
  readonly near: LatLng;
  readonly radiusMeters: number;
  /** Drivers that were silent since are passed over. */
  readonly seenAfterMs: number;
  readonly limit: number;
};

export type NearDriver = LatLng & {
  readonly driverId: string;
  readonly marketId: string;
  readonly headingDegrees: number;
  readonly observedAtMs: number;
  readonly distanceMeters: number;
};

export interface DriverPlaces {
  /** A driver never moves backwards: later by observe time wins, then by sequence. */
  record(places: readonly DriverPlace[]): Promise<void>;
  /** Available drivers, nearest first. */
  nearest(search: NearestSearch): Promise<readonly NearDriver[]>;
  /** Forgets drivers that were not seen since, and says how many. */
  forget(beforeMs: number): Promise<number>;
}
