/** What a ride costs: rounding, minimum, surge, fees. Money is whole minor units whatever goes in. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { quoteCancellation, cancellationFee } from "./cancellation-fee.ts";
import { estimateTrip, fareMinor, quoteFare } from "./fare-quote.ts";
import { haversineMeters } from "./geo.ts";
import { marketId, quoteId, regionId, rideId, riderId } from "./ids.ts";
import { defaultDispatchPolicy, type Market, type Tariff } from "./market.ts";
import { evolveRide, type Ride } from "./ride.ts";

const tariff: Tariff = {
  baseMinor: 300,
  perKilometerMinor: 110,
  perMinuteMinor: 40,
  minimumMinor: 800,
  bookingFeeMinor: 50,
  cancellationFeeMinor: 500,
  noShowFeeMinor: 700,
};
const market: Market = {
  marketId: marketId("nyc"),
  homeRegion: regionId("ewr"),
  partition: 0,
  currencyCode: "USD",
  timeZone: "America/New_York",
  tariff,
  travel: { speedMps: 10, detour: 1.5 },
  policy: defaultDispatchPolicy,
};
const nowMs = 1_800_000_000_000;
const pickup = { latitude: 40.75, longitude: -73.98 };
const dropoff = { latitude: 40.65, longitude: -73.78 };

describe("fareMinor()", () => {
  test("adds base, distance and time, and the booking fee outside the surge", () => {
    expect(fareMinor(tariff, { meters: 10_000, seconds: 1_200 }, 1)).toBe(300 + 1_100 + 800 + 50);
    expect(fareMinor(tariff, { meters: 10_000, seconds: 1_200 }, 2)).toBe(2 * (300 + 1_100 + 800) + 50);
  });

  test("charges at least the minimum", () => {
    expect(fareMinor(tariff, { meters: 100, seconds: 20 }, 1)).toBe(850);
  });

  test("is whole, never below minimum plus booking fee, and never falls with distance, time or surge", () => {
    const amount = fc.integer({ min: 0, max: 200_000 });
    const surge = fc.double({ min: 1, max: 5, noNaN: true });
    fc.assert(
      fc.property(
        amount,
        amount,
        surge,
        amount,
        amount,
        fc.double({ min: 0, max: 3, noNaN: true }),
        (meters, seconds, multiplier, moreMeters, moreSeconds, moreSurge) => {
          const fare = fareMinor(tariff, { meters, seconds }, multiplier);
          expect(Number.isSafeInteger(fare)).toBe(true);
          expect(fare).toBeGreaterThanOrEqual(tariff.minimumMinor + tariff.bookingFeeMinor);
          expect(fareMinor(tariff, { meters: meters + moreMeters, seconds: seconds + moreSeconds }, multiplier + moreSurge)).toBeGreaterThanOrEqual(fare);
        },
      ),
    );
  });
});

describe("quoteFare()", () => {
  test("locks the market's price until the policy's expiry", () => {
    const quote = quoteFare(market, { quoteId: quoteId("q"), riderId: riderId("r"), pickup, dropoff, seats: 2, surge: 1, pickupEtaSeconds: 240, nowMs });
    const trip = estimateTrip(market.travel, pickup, dropoff);
    expect(trip.meters).toBe(Math.round(haversineMeters(pickup, dropoff) * 1.5));
    expect(quote).toMatchObject({
      fare: { currencyCode: "USD", amountMinor: fareMinor(tariff, trip, 1) },
      expiresAtMs: nowMs + 300_000,
      tripMeters: trip.meters,
      tripSeconds: trip.seconds,
    });
  });
});

describe("haversineMeters()", () => {
  test("agrees with a known distance: a degree of a meridian is 111.195 km", () => {
    expect(haversineMeters({ latitude: 0, longitude: 0 }, { latitude: 1, longitude: 0 })).toBeCloseTo(111_195.08, 1);
    expect(haversineMeters(pickup, pickup)).toBe(0);
  });
});

describe("cancellationFee()", () => {
  const requested = evolveRide(null, {
    rideId: rideId("x"),
    version: 1,
    driverId: null,
    driverVersion: null,
    occurredAtMs: nowMs,
    body: {
      type: "RideRequested",
      riderId: riderId("r"),
      quoteId: quoteId("q"),
      marketId: market.marketId,
      homeRegion: market.homeRegion,
      partition: 0,
      pickup,
      dropoff,
      seats: 1,
      fare: { currencyCode: "USD", amountMinor: 2_000 },
      surge: 1,
      tripMeters: 1,
      tripSeconds: 1,
      searchDeadlineMs: nowMs + 300_000,
    },
  });
  const assigned: Ride = { ...requested, status: "assigned", assignedAtMs: nowMs };
  const at = (ms: number) => ({ nowMs: ms, policy: market.policy, tariff });

  test("is free before the assignment, and until two minutes after it", () => {
    expect(cancellationFee(requested, at(nowMs + 250_000))).toBeNull();
    expect(cancellationFee(assigned, at(nowMs + 119_999))).toBeNull();
    expect(quoteCancellation(assigned, at(nowMs + 1))).toEqual({ fee: { currencyCode: "USD", amountMinor: 0 }, validUntilMs: nowMs + 120_000 });
  });

  test("is the market's fee from two minutes after the assignment", () => {
    expect(cancellationFee(assigned, at(nowMs + 120_000))).toEqual({ currencyCode: "USD", amountMinor: 500 });
  });

  test("is nothing in a market that charges none", () => {
    expect(cancellationFee(assigned, { ...at(nowMs + 200_000), tariff: { ...tariff, cancellationFeeMinor: 0 } })).toBeNull();
  });
});
