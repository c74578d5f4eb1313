/** H3 cells of points: for markets, maps and counts, off the matching path (an encode costs about a microsecond). */
import type { LatLng } from "@ridegrid/domain";
import { latLngToCell } from "h3-js";

export function cellAt({ latitude, longitude }: LatLng, resolution: number): string {
  return latLngToCell(latitude, longitude, resolution);
}
