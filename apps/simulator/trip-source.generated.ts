/** A made-up city: hot spots around the market's center, some busier as origins, some as destinations, and a thin spread between them. */
import type { City } from "./city.ts";
import { displaced, distanceMeters, type LatLng } from "./geography.ts";
import type { Random } from "./random.ts";
import type { TripSource } from "./trip-source.ts";
import type { Trip } from "./trips-file.ts";

type HotSpot = { readonly center: LatLng; readonly spreadMeters: number; readonly origin: number; readonly destination: number };

const hotSpotCount = 8;
const hotSpotReachMeters = 1_900;
const hotSpotSpreadMeters = { min: 350, max: 900 };
/** The share of ends that lie anywhere in the built-up area. */
const scatteredShare = 0.15;
const scatteredReachMeters = 4_000;
const shortestTripMeters = 600;
/** Draws before a point is taken as it is: a cover that is mostly water must not hang the city. */
const triesMax = 50;
const seatsByShare = [
  { share: 0.72, seats: 1 },
  { share: 0.9, seats: 2 },
  { share: 0.96, seats: 3 },
  { share: 1, seats: 4 },
];

export function createGeneratedTrips({ city, random }: { readonly city: City; readonly random: Random }): TripSource {
  const spots = hotSpots(city, random.fork("spots"));
  const draws = random.fork("draws");
  const sample = (dice: Random): Trip => {
    const pickup = end(city, spots, dice, "origin");
    let dropoff = end(city, spots, dice, "destination");
    for (let tries = 0; tries < triesMax && distanceMeters(pickup, dropoff) < shortestTripMeters; tries++) dropoff = end(city, spots, dice, "destination");
    return { pickup, dropoff, seats: seats(dice.next()) };
  };
  return { draw: () => sample(draws), sample, outside: 0 };
}

function hotSpots(city: City, random: Random): readonly HotSpot[] {
  const reach = Math.min(hotSpotReachMeters, city.radiusMeters / 2);
  return Array.from({ length: hotSpotCount }, () => ({
    center: inside(city, () => scattered(city.center, reach, random)),
    spreadMeters: random.between(hotSpotSpreadMeters),
    origin: random.exponential(1),
    destination: random.exponential(1),
  }));
}

function end(city: City, spots: readonly HotSpot[], random: Random, side: "origin" | "destination"): LatLng {
  if (random.chance(scatteredShare)) {
    const reach = Math.min(scatteredReachMeters, city.radiusMeters);
    return inside(city, () => scattered(city.center, reach / 2, random));
  }
  const spot = weighted(spots, side, random.next());
  return inside(city, () => scattered(spot.center, spot.spreadMeters, random));
}

function scattered(around: LatLng, spreadMeters: number, random: Random): LatLng {
  return displaced(around, { north: random.normal() * spreadMeters, east: random.normal() * spreadMeters });
}

function inside(city: City, draw: () => LatLng): LatLng {
  for (let tries = 0; tries < triesMax; tries++) {
    const point = draw();
    if (city.contains(point)) return point;
  }
  return city.center;
}

function weighted(spots: readonly HotSpot[], side: "origin" | "destination", share: number): HotSpot {
  let left = share * spots.reduce((sum, spot) => sum + spot[side], 0);
  for (const spot of spots) {
    left -= spot[side];
    if (left < 0) return spot;
  }
  const last = spots.at(-1);
  if (last === undefined) throw new Error("A generated city has at least one hot spot");
  return last;
}

function seats(share: number): number {
  return seatsByShare.find((row) => share < row.share)?.seats ?? 1;
}
