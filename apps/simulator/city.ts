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

/** `cells` are H3 indexes; their resolutions may differ. */
export function createCity(market: { readonly marketId: string; readonly homeRegion: string; readonly cells: readonly string[] }): City {
  const cover = new Set(market.cells);
  const resolutions = [...new Set(market.cells.map((cell) => getResolution(cell)))];
  const corners = market.cells.flatMap((cell) => cellToBoundary(cell).map(([latitude, longitude]): LatLng => ({ latitude, longitude })));
  if (corners.length === 0) throw new Error(`Cannot simulate market "${market.marketId}": its cover is empty`);
  const mean = (pick: (point: LatLng) => number): number => corners.reduce((sum, point) => sum + pick(point), 0) / corners.length;
  const center = { latitude: mean((point) => point.latitude), longitude: mean((point) => point.longitude) };
  return {
    marketId: market.marketId,
    homeRegion: market.homeRegion,
    center,
    radiusMeters: Math.max(...corners.map((point) => distanceMeters(center, point))),
    contains: ({ latitude, longitude }) => resolutions.some((resolution) => cover.has(latLngToCell(latitude, longitude, resolution))),
  };
}
