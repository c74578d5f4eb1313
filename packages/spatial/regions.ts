/**
 * The regions file (`deploy/regions.json`), parsed and checked: regions, their markets, and the market of a point.
 *
 * A market's cover is a set of H3 cells of one resolution; markets do not overlap.
 */
import type { LatLng, Market } from "@ridegrid/domain";

export type Region = {
  readonly id: string;
  readonly neighbor: string;
  readonly markets: readonly RegionMarket[];
};

/** `cover` are H3 indexes, all of the resolution `coverResolution`. */
export type RegionMarket = Market & { readonly cover: readonly string[]; readonly coverResolution: number; readonly center: LatLng };

export interface Regions {
  readonly all: readonly Region[];
  /** @throws when the region is unknown: configuration named it. */
  region(id: string): Region;
  market(id: string): RegionMarket | undefined;
  marketAt(point: LatLng): RegionMarket | undefined;
}
