/**
 * Money as transfers: lines that sum to zero. What a rider pays, a driver and the platform get.
 *
 * Pure. The database checks every transfer again when its transaction commits.
 */
import { type Money, money, type Ride } from "@ridegrid/domain";
import type { Change } from "./change.ts";
import { driverShareOfFare } from "./limits.ts";

type LedgerLine = { readonly account: string; readonly amount: Money };
type TransferKind = "fare" | "cancellation_fee" | "waiver";
export type Transfer = { readonly kind: TransferKind; readonly rideId: string; readonly atMs: number; readonly lines: readonly LedgerLine[] };

/** What the change makes due: the locked quote of a completed ride, or the fee of a canceled one. */
export function transferOf(change: Change): Transfer | null {
  if (change.kind !== "ride") return null;
  const { ride, event } = change;
  if (event.body.type === "RideCompleted") return charge("fare", ride, ride.fare);
  if (event.body.type === "RideCanceled" && event.body.fee !== null) return charge("cancellation_fee", ride, event.body.fee);
  return null;
}

/** Gives a canceled ride's fee back: the same lines, the other way round. Null where none was charged. */
export function waiverOf(ride: Ride, atMs: number): Transfer | null {
  if (ride.cancellationFee === null) return null;
  const charged = charge("cancellation_fee", ride, ride.cancellationFee);
  const lines = charged.lines.map(({ account, amount }) => ({ account, amount: money(amount.currencyCode, -amount.amountMinor) }));
  return { kind: "waiver", rideId: ride.rideId, atMs, lines };
}

function charge(kind: TransferKind, ride: Ride, { currencyCode, amountMinor }: Money): Transfer {
  const payoutMinor = ride.lastDriverId === null ? 0 : Math.floor(amountMinor * driverShareOfFare);
  const lines: readonly LedgerLine[] = [
    { account: `rider:${ride.riderId}`, amount: money(currencyCode, 0 - amountMinor) },
    ...(ride.lastDriverId === null ? [] : [{ account: `driver:${ride.lastDriverId}`, amount: money(currencyCode, payoutMinor) }]),
    { account: "platform", amount: money(currencyCode, amountMinor - payoutMinor) },
  ];
  return { kind, rideId: ride.rideId, atMs: ride.updateTimeMs, lines };
}
