/** What a ride's market decides by: its dispatch policy and its tariff. */
import { defaultDispatchPolicy, type DispatchPolicy, type Tariff } from "@ridegrid/domain";
import type { Regions } from "@ridegrid/spatial";

type MarketRules = { readonly policy: DispatchPolicy; readonly tariff: Tariff };

/** Rides of a market that the regions file no longer names live on by the defaults, and end without a fee. */
export function marketRules(regions: Regions, place: { readonly marketId: string } | null): MarketRules {
  const market = place === null ? undefined : regions.market(place.marketId);
  return market === undefined ? { policy: defaultDispatchPolicy, tariff: freeTariff } : { policy: market.policy, tariff: market.tariff };
}

const freeTariff: Tariff = {
  baseMinor: 0,
  perKilometerMinor: 0,
  perMinuteMinor: 0,
  minimumMinor: 0,
  bookingFeeMinor: 0,
  cancellationFeeMinor: 0,
  noShowFeeMinor: 0,
};
