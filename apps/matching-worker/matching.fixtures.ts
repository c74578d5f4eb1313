/** Rides, drivers and a market for tests, in the domain's own types. */
import {
  defaultDispatchPolicy,
  type Driver,
  driverId,
  marketId,
  money,
  offerId,
  quoteId,
  regionId,
  type Ride,
  rideId,
  riderId,
  type RideEvent,
  shiftId,
} from "@ridegrid/domain";
import { loadRegions, type RegionMarket, type Regions } from "@ridegrid/spatial";

export const regions: Regions = loadRegions(await Bun.file(new URL("../../deploy/regions.json", import.meta.url)).json());
export const nyc: RegionMarket = marketNamed("nyc");

function marketNamed(id: string): RegionMarket {
  const market = regions.market(id);
  if (market === undefined) throw new Error(`No market "${id}" in deploy/regions.json`);
  return market;
}

export const startMs = Date.UTC(2026, 0, 15, 12);
export const timesSquare = { latitude: 40.758, longitude: -73.9855 };

export function availableDriver(name: string, changes: Partial<Driver> & { readonly seats?: number } = {}): Driver {
  const { seats = 4, ...rest } = changes;
  return {
    driverId: driverId(name),
    status: "available",
    version: 1,
    shift: {
      shiftId: shiftId(`shift-${name}`),
      marketId: nyc.marketId,
      homeRegion: nyc.homeRegion,
      partition: nyc.partition,
      vehicle: { seats, plate: "TLC 1", model: "Sedan" },
      acceptReassignment: false,
      startedAtMs: startMs,
    },
    rideId: null,
    offerId: null,
    updateTimeMs: startMs,
    ...rest,
  };
}

export function rideRequested(
  name: string,
  changes: { readonly pickup?: { readonly latitude: number; readonly longitude: number }; readonly seats?: number; readonly atMs?: number } = {},
): RideEvent {
  const { pickup = timesSquare, seats = 1, atMs = startMs } = changes;
  return {
    rideId: rideId(name),
    version: 1,
    driverId: null,
    driverVersion: null,
    occurredAtMs: atMs,
    body: {
      type: "RideRequested",
      riderId: riderId(`rider-of-${name}`),
      quoteId: quoteId(`quote-of-${name}`),
      marketId: marketId("nyc"),
      homeRegion: regionId("ewr"),
      partition: 0,
      pickup,
      dropoff: { latitude: 40.7, longitude: -74 },
      seats,
      fare: money("USD", 1_000),
      surge: 1,
      tripMeters: 3_000,
      tripSeconds: 500,
      searchDeadlineMs: atMs + defaultDispatchPolicy.searchMs,
    },
  };
}

/** The next event of `ride`, concerning `driver` where one is named. */
export function nextEvent(
  ride: Ride,
  body: RideEvent["body"],
  driver?: { readonly driverId: string; readonly version: number },
  atMs = ride.updateTimeMs + 100,
): RideEvent {
  const concerned = driver === undefined ? { driverId: null, driverVersion: null } : { driverId: driverId(driver.driverId), driverVersion: driver.version };
  return { rideId: ride.rideId, version: ride.version + 1, ...concerned, occurredAtMs: atMs, body };
}

export const anOffer = offerId("019bbbbb-0000-7000-8000-000000000001");
