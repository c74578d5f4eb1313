/** Prices a trip: the market of its pickup, its tariff, and the surge and pickup ETA that matching knows, if it answers in time. */
import { create } from "@bufbuild/protobuf";
import { latLngFromWire, moneyToWire, timestampFromMs } from "@ridegrid/contracts";
import { type FareQuote as WireFareQuote, FareQuoteSchema } from "@ridegrid/contracts/gen/rider/v1/rider_service_pb";
import { QuoteFareResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { type FareQuote, type LatLng, quoteFare as priceTrip, quoteId, type Refusal, regionId, riderId } from "@ridegrid/domain";
import { asService, refusalError } from "@ridegrid/rpc";
import type { RegionMarket } from "@ridegrid/spatial";
import { matchingAnswerMs, seatsDefault, surgeNone } from "../limits.ts";
import { databaseNowMs } from "../read-clock.postgres.ts";
import { callerAs, given } from "../request-facts.ts";
import { readServing } from "../serving.postgres.ts";
import { type CoordinatorImpl, type HandlerDeps, serviceName } from "./handler.ts";

export function quoteFare(deps: HandlerDeps): CoordinatorImpl["quoteFare"] {
  return async (request, context) => {
    const caller = callerAs(context, "rider");
    const command = given(request.command, "command");
    const pickup = latLngFromWire(command.pickup, "pickup");
    const dropoff = latLngFromWire(command.dropoff, "dropoff");
    const market = deps.regions.marketAt(pickup);
    if (market === undefined || deps.regions.marketAt(dropoff)?.marketId !== market.marketId) throw refusalError(outside(market));
    const seats = command.seats === 0 ? seatsDefault : command.seats;
    const homeRegion = regionId((await readServing(deps.sql)).of(market.homeRegion).region);
    const [estimate, nowMs] = await Promise.all([estimatePickup(deps, { ...market, homeRegion }, { pickup, seats }), databaseNowMs(deps.sql)]);
    const quote = priceTrip(
      { ...market, homeRegion },
      { quoteId: quoteId(deps.ids.uuid()), riderId: riderId(caller.principal), pickup, dropoff, seats, ...estimate, nowMs },
    );
    await deps.store.saveQuote(quote);
    return create(QuoteFareResponseSchema, { quote: quoteToWire(quote) });
  };
}

type Estimate = { readonly surge: number; readonly pickupEtaSeconds: number };

/** Matching is asked, never waited for: a worker that is away or slow leaves the market's typical ETA. */
async function estimatePickup(deps: HandlerDeps, market: RegionMarket, asked: { readonly pickup: LatLng; readonly seats: number }): Promise<Estimate> {
  const typical: Estimate = { surge: surgeNone, pickupEtaSeconds: market.policy.pickupEtaTypicalSeconds };
  const options = asService(serviceName, { timeoutMs: matchingAnswerMs });
  const answer = await deps.directory
    .matching(market.homeRegion)
    .estimatePickup({ marketId: market.marketId, ...asked }, options)
    .catch(() => null);
  if (answer === null) return typical;
  return { surge: Math.max(surgeNone, answer.surgeMultiplier), pickupEtaSeconds: answer.pickupEtaSeconds ?? typical.pickupEtaSeconds };
}

function outside(market: RegionMarket | undefined): Refusal {
  const message =
    market === undefined
      ? "Cannot price the trip: its pickup lies in no market"
      : `Cannot price the trip: its dropoff lies outside market "${market.marketId}"`;
  return { kind: "refused", reason: "outside_service_area", message };
}

function quoteToWire(quote: FareQuote): WireFareQuote {
  const { pickupEtaSeconds, tripSeconds, tripMeters, homeRegion } = quote;
  return create(FareQuoteSchema, {
    quoteId: quote.quoteId,
    fare: moneyToWire(quote.fare),
    surgeMultiplier: quote.surge,
    pickupEtaSeconds,
    tripSeconds,
    tripMeters,
    marketId: quote.marketId,
    homeRegion,
    expireTime: timestampFromMs(quote.expiresAtMs),
  });
}
