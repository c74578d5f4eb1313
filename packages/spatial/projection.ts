/**
 * Local metres around a center: east is x, north is y. Equirectangular, so distances within 50 km of the center are
 * right to about 0.6 %: good for finding near points, not for prices.
 */
import type { LatLng } from "@ridegrid/domain";

export type LocalPoint = { readonly x: number; readonly y: number };

export interface Projection {
  toLocal(point: LatLng): LocalPoint;
  toLatLng(point: LocalPoint): LatLng;
}

const metersPerDegree = (6_371_008.8 * Math.PI) / 180; // IUGG mean radius R1, as the domain's haversine

export function createProjection(center: LatLng): Projection {
  const metersPerLongitude = metersPerDegree * Math.cos((center.latitude * Math.PI) / 180);
  return {
    toLocal: ({ latitude, longitude }) => ({
      x: (longitude - center.longitude) * metersPerLongitude,
      y: (latitude - center.latitude) * metersPerDegree,
    }),
    toLatLng: ({ x, y }) => ({
      latitude: center.latitude + y / metersPerDegree,
      longitude: center.longitude + x / metersPerLongitude,
    }),
  };
}
