/** Fare quotes: written once, read when used, deleted some time after they have expired. */
import { type FareQuote, marketId, money, quoteId, regionId, riderId } from "@ridegrid/domain";
import type { Sql } from "@ridegrid/runtime";

export type QuoteRow = {
  quote_id: string;
  rider_id: string;
  market_id: string;
  home_region: string;
  partition: number;
  pickup_latitude: number;
  pickup_longitude: number;
  dropoff_latitude: number;
  dropoff_longitude: number;
  seats: number;
  currency_code: string;
  fare_minor: number;
  surge: number;
  trip_meters: number;
  trip_seconds: number;
  pickup_eta_seconds: number;
  expire_time: Date;
};

export async function saveQuote(sql: Sql, quote: FareQuote): Promise<void> {
  await sql`INSERT INTO fare_quote ${sql(quoteToRow(quote))}`;
}

function quoteToRow(quote: FareQuote): QuoteRow {
  return {
    quote_id: quote.quoteId,
    rider_id: quote.riderId,
    market_id: quote.marketId,
    home_region: quote.homeRegion,
    partition: quote.partition,
    pickup_latitude: quote.pickup.latitude,
    pickup_longitude: quote.pickup.longitude,
    dropoff_latitude: quote.dropoff.latitude,
    dropoff_longitude: quote.dropoff.longitude,
    seats: quote.seats,
    currency_code: quote.fare.currencyCode,
    fare_minor: quote.fare.amountMinor,
    surge: quote.surge,
    trip_meters: quote.tripMeters,
    trip_seconds: quote.tripSeconds,
    pickup_eta_seconds: quote.pickupEtaSeconds,
    expire_time: new Date(quote.expiresAtMs),
  };
}

export function quoteFromRow(row: QuoteRow): FareQuote {
  return {
    quoteId: quoteId(row.quote_id),
    riderId: riderId(row.rider_id),
    marketId: marketId(row.market_id),
    homeRegion: regionId(row.home_region),
    partition: row.partition,
    pickup: { latitude: row.pickup_latitude, longitude: row.pickup_longitude },
    dropoff: { latitude: row.dropoff_latitude, longitude: row.dropoff_longitude },
    seats: row.seats,
    fare: money(row.currency_code, Number(row.fare_minor)),
    surge: row.surge,
    tripMeters: row.trip_meters,
    tripSeconds: row.trip_seconds,
    pickupEtaSeconds: row.pickup_eta_seconds,
    expiresAtMs: row.expire_time.getTime(),
  };
}
