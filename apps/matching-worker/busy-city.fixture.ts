/**
 * A city in full swing, made from a seed: drivers around its centers, three in five free and the others on a trip with
 * its ride in the book. Each second a quarter of the drivers report, 25,000 at most, and other riders wait.
 */
import { evolveRide, offerId, type Ride } from "@ridegrid/domain";
import { createSeededRandom } from "@ridegrid/testing";
import { createMarketState, type MarketState } from "./market-state.ts";
import { availableDriver, nyc, rideRequested, startMs } from "./matching.fixtures.ts";
import { createHaversineTravelTime } from "./travel-time.haversine.ts";

export type BusyCity = {
  readonly state: MarketState;
  /** The next second: moves drivers and replaces everybody who waits. Answers its time. */
  advance(): number;
};

const freeShare = 0.6;
const reportsMax = 25_000;
const vehicle = { seats: 4, plate: "", model: "" };

export function createBusyCity(size: { readonly drivers: number; readonly waiting: number; readonly seed: number }): BusyCity {
  const random = createSeededRandom(size.seed);
  const state = createMarketState(nyc, createHaversineTravelTime(nyc.travel));
  const place = placesOf(size.drivers, () => random.next());
  const places = Array.from({ length: size.drivers }, place);
  const ids = places.map((_, index) => `019bbbbb-0000-7000-8000-${String(index).padStart(12, "0")}`);
  const onTrip: Ride[] = [];
  ids.forEach((driverId, index) => {
    const isFree = random.next() < freeShare;
    const driver = availableDriver(driverId, { status: isFree ? "available" : "on_trip", seats: random.next() < 0.15 ? 6 : 4 });
    state.drivers.apply(driver);
    if (isFree) return;
    const offer = { offerId: offerId(`offer-${index}`), driverId: driver.driverId, expiresAtMs: startMs, pickupEtaSeconds: 60, vehicle };
    const status = random.next() < 0.25 ? "assigned" : "in_progress";
    onTrip.push({ ...evolveRide(null, rideRequested(`trip-${index}`)), status, offer, assignedAtMs: startMs });
  });
  const report = (index: number, observedAtMs: number): void => {
    const at = places[index % places.length];
    if (at === undefined) return;
    const latitude = at.latitude + (random.next() - 0.5) * 0.001;
    state.drivers.place({ driverId: ids[index % ids.length] ?? "", latitude, longitude: at.longitude, observedAtMs });
  };
  ids.forEach((_, index) => report(index, startMs));
  state.rides.replace(onTrip, startMs);
  state.hearingSinceMs = startMs;
  let second = 0;
  let reported = 0;

  return {
    state,
    advance() {
      const nowMs = startMs + ++second * 1_000;
      for (let count = 0; count < Math.min(reportsMax, size.drivers / 4); count++) report(reported++, nowMs);
      for (const ride of [...state.rides.inStatus("requested").values()]) {
        const body = { type: "RideCanceled", by: "rider", reason: "other", fee: null, offerId: null } as const;
        state.rides.apply({ rideId: ride.rideId, version: 2, driverId: null, driverVersion: null, occurredAtMs: nowMs, body });
      }
      for (let rider = 0; rider < size.waiting; rider++) {
        const seats = random.next() < 0.05 ? 6 : 1 + Math.floor(random.next() * 3);
        state.rides.apply(rideRequested(`ride-${second}-${rider}`, { pickup: place(), seats, atMs: nowMs }));
      }
      return nowMs;
    },
  };
}

/** Four in five around one of twelve centers, the others anywhere: as wide as a city with so many drivers. */
function placesOf(drivers: number, next: () => number): () => { readonly latitude: number; readonly longitude: number } {
  const halfMeters = 15_000 + 25_000 * Math.min(1, drivers / 200_000);
  const { latitude, longitude } = nyc.center;
  const at = (x: number, y: number) => ({
    latitude: latitude + y / 111_195,
    longitude: longitude + x / (111_195 * Math.cos((latitude * Math.PI) / 180)),
  });
  const anywhere = (): number => (next() * 2 - 1) * halfMeters;
  const centers = Array.from({ length: 12 }, () => ({ x: anywhere() / 2, y: anywhere() / 2, spread: halfMeters * (0.03 + 0.1 * next()) }));
  const bell = (): number => next() + next() + next() + next() - 2;
  return () => {
    const center = next() < 0.8 ? centers[Math.floor(next() * centers.length)] : undefined;
    return center === undefined ? at(anywhere(), anywhere()) : at(center.x + bell() * center.spread * 1.7, center.y + bell() * center.spread * 1.7);
  };
}
