/** How a vehicle moves: along one leg at constant speed, or parked. Pure; time is wall milliseconds. */
import { between, distanceMeters, headingDegrees, type LatLng } from "./geography.ts";
import { streetDetour, vehicleSpeedMps } from "./limits.ts";

export type Leg = {
  readonly from: LatLng;
  readonly to: LatLng;
  readonly startMs: number;
  readonly endMs: number;
  readonly headingDegrees: number;
};

export type Place = { readonly location: LatLng; readonly headingDegrees: number; readonly moving: boolean };

/** City seconds from one point to another. */
export function travelSeconds(from: LatLng, to: LatLng): number {
  return (distanceMeters(from, to) * streetDetour) / vehicleSpeedMps;
}

export function createLeg(from: LatLng, to: LatLng, { startMs, speedup }: { readonly startMs: number; readonly speedup: number }): Leg {
  return { from, to, startMs, endMs: startMs + (travelSeconds(from, to) * 1_000) / speedup, headingDegrees: headingDegrees(from, to) };
}

export function parkedAt(location: LatLng, nowMs: number): Leg {
  return { from: location, to: location, startMs: nowMs, endMs: nowMs, headingDegrees: 0 };
}

export function placeOn(leg: Leg, nowMs: number): Place {
  if (nowMs >= leg.endMs) return { location: leg.to, headingDegrees: leg.headingDegrees, moving: false };
  const share = Math.max(0, (nowMs - leg.startMs) / (leg.endMs - leg.startMs));
  return { location: between(leg.from, leg.to, share), headingDegrees: leg.headingDegrees, moving: true };
}
