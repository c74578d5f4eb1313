/**
 * What it costs a rider not to ride: free until two minutes (the market's `freeCancelMs`) after the assignment, then
 * the market's fee. A driver's cancel never charges the rider; an operator's does not either.
 */
import type { DispatchPolicy, Tariff } from "./market.ts";
import { type Money, money } from "./money.ts";
import type { Ride } from "./ride.ts";

type FeeContext = { readonly nowMs: number; readonly policy: DispatchPolicy; readonly tariff: Tariff };

/** `validUntilMs`: the fee stands until then unless the ride changes; null where nothing but a change ends it. */
export type CancellationQuote = { readonly fee: Money; readonly validUntilMs: number | null };

/** The fee of a rider's cancel now; null when it is free. */
export function cancellationFee(ride: Ride, { nowMs, policy, tariff }: FeeContext): Money | null {
  if (ride.assignedAtMs === null || nowMs < ride.assignedAtMs + policy.freeCancelMs) return null;
  return fee(ride, tariff.cancellationFeeMinor);
}

/** The fee of a rider who did not come; null when the market charges none. */
export function noShowFee(ride: Ride, tariff: Tariff): Money | null {
  return fee(ride, tariff.noShowFeeMinor);
}

export function quoteCancellation(ride: Ride, context: FeeContext): CancellationQuote {
  const now = cancellationFee(ride, context);
  const freeUntilMs = ride.assignedAtMs === null ? null : ride.assignedAtMs + context.policy.freeCancelMs;
  const validUntilMs = freeUntilMs !== null && context.nowMs < freeUntilMs ? freeUntilMs : (ride.timer?.atMs ?? null);
  return { fee: now ?? money(ride.fare.currencyCode, 0), validUntilMs };
}

function fee(ride: Ride, amountMinor: number): Money | null {
  return amountMinor === 0 ? null : money(ride.fare.currencyCode, amountMinor);
}
