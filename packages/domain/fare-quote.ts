/**
 * A fare quote is an upfront price with its inputs and an expiry; the price charged is the price locked.
 *
 * Pure: distance, time and surge arrive as numbers, the clock as `nowMs`.
 */
import type { LatLng } from "./geo.ts";
import { haversineMeters } from "./geo.ts";
import type { MarketId, QuoteId, RegionId, RiderId } from "./ids.ts";
import type { Market, Tariff, TravelModel } from "./market.ts";
import { type Money, money } from "./money.ts";

export type FareQuote = {
  readonly quoteId: QuoteId;
  readonly riderId: RiderId;
  readonly marketId: MarketId;
  readonly homeRegion: RegionId;
  readonly partition: number;
  readonly pickup: LatLng;
  readonly dropoff: LatLng;
  readonly seats: number;
  readonly fare: Money;
  readonly surge: number;
  readonly tripMeters: number;
  readonly tripSeconds: number;
  readonly pickupEtaSeconds: number;
  readonly expiresAtMs: number;
};

export type QuoteInputs = {
  readonly quoteId: QuoteId;
  readonly riderId: RiderId;
  readonly pickup: LatLng;
  readonly dropoff: LatLng;
  readonly seats: number;
  readonly surge: number;
  readonly pickupEtaSeconds: number;
  readonly nowMs: number;
};

export function quoteFare(market: Market, inputs: QuoteInputs): FareQuote {
  const { nowMs, ...given } = inputs;
  const trip = estimateTrip(market.travel, inputs.pickup, inputs.dropoff);
  return {
    ...given,
    marketId: market.marketId,
    homeRegion: market.homeRegion,
    partition: market.partition,
    fare: money(market.currencyCode, fareMinor(market.tariff, trip, inputs.surge)),
    tripMeters: trip.meters,
    tripSeconds: trip.seconds,
    expiresAtMs: nowMs + market.policy.quoteTtlMs,
  };
}

/** Great-circle distance × detour, at the market's speed; both rounded to whole units. */
export function estimateTrip(travel: TravelModel, from: LatLng, to: LatLng): { meters: number; seconds: number } {
  const meters = haversineMeters(from, to) * travel.detour;
  return { meters: Math.round(meters), seconds: Math.round(meters / travel.speedMps) };
}

/**
 * (base + distance + time) × surge, at least the minimum, plus the booking fee, which no surge touches.
 * Rounded once, half up, to whole minor units.
 */
export function fareMinor(tariff: Tariff, trip: { readonly meters: number; readonly seconds: number }, surge: number): number {
  const metered = tariff.baseMinor + (trip.meters / 1_000) * tariff.perKilometerMinor + (trip.seconds / 60) * tariff.perMinuteMinor;
  return Math.max(Math.round(metered * surge), tariff.minimumMinor) + tariff.bookingFeeMinor;
}
