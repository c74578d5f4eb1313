/** Points on the Earth and the distance between two of them. */
export type LatLng = { readonly latitude: number; readonly longitude: number };

const earthRadiusMeters = 6_371_008.8; // IUGG mean radius R1

/** Great-circle distance in metres by the haversine formula (R. W. Sinnott, Sky & Telescope 68, 1984). */
export function haversineMeters(from: LatLng, to: LatLng): number {
  const latitude = Math.sin(radians(to.latitude - from.latitude) / 2);
  const longitude = Math.sin(radians(to.longitude - from.longitude) / 2);
  const chord = latitude * latitude + Math.cos(radians(from.latitude)) * Math.cos(radians(to.latitude)) * longitude * longitude;
  return 2 * earthRadiusMeters * Math.asin(Math.min(1, Math.sqrt(chord)));
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}
