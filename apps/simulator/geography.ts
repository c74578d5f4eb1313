/** Points of a city: distances, headings and small steps. Over one city a straight line in degrees is the great circle to within 15 m. */

export type LatLng = { readonly latitude: number; readonly longitude: number };

const earthRadiusMeters = 6_371_008.8;
const metersPerDegree = (Math.PI / 180) * earthRadiusMeters;

/** Haversine formula (R. W. Sinnott, Sky & Telescope 68, 1984). */
export function distanceMeters(from: LatLng, to: LatLng): number {
  const latitude = Math.sin(radians(to.latitude - from.latitude) / 2);
  const longitude = Math.sin(radians(to.longitude - from.longitude) / 2);
  const chord = latitude * latitude + Math.cos(radians(from.latitude)) * Math.cos(radians(to.latitude)) * longitude * longitude;
  return 2 * earthRadiusMeters * Math.asin(Math.min(1, Math.sqrt(chord)));
}

/** Clockwise from north, 0 to 360. */
export function headingDegrees(from: LatLng, to: LatLng): number {
  const north = to.latitude - from.latitude;
  const east = (to.longitude - from.longitude) * Math.cos(radians(from.latitude));
  return ((Math.atan2(east, north) * 180) / Math.PI + 360) % 360;
}

export function displaced(point: LatLng, meters: { readonly north: number; readonly east: number }): LatLng {
  return {
    latitude: point.latitude + meters.north / metersPerDegree,
    longitude: point.longitude + meters.east / (metersPerDegree * Math.cos(radians(point.latitude))),
  };
}

/** The point this share of the way along. */
export function between(from: LatLng, to: LatLng, share: number): LatLng {
  return { latitude: from.latitude + (to.latitude - from.latitude) * share, longitude: from.longitude + (to.longitude - from.longitude) * share };
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}
