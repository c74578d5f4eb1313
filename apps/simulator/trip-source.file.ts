/** Trips of a file in an order shuffled by the seed; after the last one they begin again in another order. */
import type { City } from "./city.ts";
import type { Random } from "./random.ts";
import type { TripSource } from "./trip-source.ts";
import type { Trip, TripsFile } from "./trips-file.ts";

export function createFileTrips({ file, city, random }: { readonly file: TripsFile; readonly city: City; readonly random: Random }): TripSource {
  const trips = file.trips.filter(({ pickup, dropoff }) => city.contains(pickup) && city.contains(dropoff));
  if (trips.length === 0) throw new Error(`Cannot simulate market "${city.marketId}": none of the file's ${file.trips.length} trips lies inside it`);
  const order = random.fork("order");
  let left: Trip[] = [];
  return {
    draw() {
      if (left.length === 0) left = shuffled(trips, order);
      return left.pop() ?? pick(trips, order);
    },
    sample: (dice) => pick(trips, dice),
    outside: file.trips.length - trips.length,
  };
}

function pick(trips: readonly Trip[], random: Random): Trip {
  const trip = trips[Math.floor(random.next() * trips.length)];
  if (trip === undefined) throw new Error("A trip source has at least one trip");
  return trip;
}

/** Fisher and Yates. */
function shuffled(trips: readonly Trip[], random: Random): Trip[] {
  const order = [...trips];
  for (let at = order.length - 1; at > 0; at--) {
    const other = Math.floor(random.next() * (at + 1));
    const a = order[at];
    const b = order[other];
    if (a === undefined || b === undefined) continue;
    order[at] = b;
    order[other] = a;
  }
  return order;
}
