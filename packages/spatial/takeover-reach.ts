/**
 * What a region may come to serve: its own markets, and those of every region whose chain of neighbors leads to it.
 *
 * Whoever reads the region's topics reads the partitions of all of these from the start, so that a takeover finds its
 * readers in place. Two markets may share a partition: whoever reads one must tell their records apart.
 */
import type { RegionMarket, Regions } from "./regions.ts";

export function marketsWithinReach(regions: Regions, region: string): readonly RegionMarket[] {
  return regions.all.filter(({ id }) => leadsTo(regions, id, region)).flatMap(({ markets }) => markets);
}

/** In order, each once. */
export function partitionsWithinReach(regions: Regions, region: string): readonly number[] {
  return [...new Set(marketsWithinReach(regions, region).map(({ partition }) => partition))].toSorted((left, right) => left - right);
}

function leadsTo(regions: Regions, from: string, to: string): boolean {
  const passed = new Set<string>();
  for (let at = from; !passed.has(at); at = regions.region(at).neighbor) {
    if (at === to) return true;
    passed.add(at);
  }
  return false;
}
