/** The market as its operators publish it: where it lies, how far it reaches, and whether a point is inside. */
import { cellToBoundary, getResolution, latLngToCell } from "h3-js";
import { distanceMeters, type LatLng } from "./geography.ts";

export interface City {
  readonly marketId: string;
  readonly homeRegion: string;
  readonly center: LatLng;
  /** From the center to the farthest corner of the cover. */
  readonly radiusMeters: number;
  contains(point: LatLng): boolean;
}

/** Where people are, in cities this program knows; elsewhere the middle of the cover stands for it. */
const knownCenters: Readonly<Record<string, LatLng>> = {
  lon: { latitude: 51.5101, longitude: -0.1282 },
  nyc: { latitude: 40.7549, longitude: -73.984 },
};

/** `cells` are H3 indexes; their resolutions may differ. */
export function createCity(market: { readonly marketId: string; readonly homeRegion: string; readonly cells: readonly string[] }): City {
  const cover = new Set(market.cells);
  const resolutions = [...new Set(market.cells.map((cell) => getResolution(cell)))];
  const corners = market.cells.flatMap((cell) => cellToBoundary(cell).map(([latitude, longitude]): LatLng => ({ latitude, longitude })));
  if (corners.length === 0) throw new Error(`Cannot simulate market "${market.marketId}": its cover is empty`);
  const mean = (pick: (point: LatLng) => number): number => corners.reduce((sum, point) => sum + pick(point), 0) / corners.length;
  const middle = { latitude: mean((point) => point.latitude), longitude: mean((point) => point.longitude) };
  const contains = ({ latitude, longitude }: LatLng): boolean => resolutions.some((resolution) => cover.has(latLngToCell(latitude, longitude, resolution)));
  const known = knownCenters[market.marketId];
  const center = known !== undefined && contains(known) ? known : middle;
  return {
    marketId: market.marketId,
    homeRegion: market.homeRegion,
    center,
    radiusMeters: Math.max(...corners.map((point) => distanceMeters(center, point))),
    contains,
  };
}
