/** Contract values as an operator reads them. */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { driverStatusFromWire, msFromTimestamp, rideStatusFromWire } from "@ridegrid/contracts";
import type { Ride } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import type { Table } from "../table.ts";

export function timeText(timestamp: Timestamp | undefined): string {
  const ms = msFromTimestamp(timestamp);
  return ms === null ? "" : new Date(ms).toISOString();
}

/** In the currency's own digits: 12.34 USD, 1234 JPY. */
export function moneyText(amount: { readonly currencyCode: string; readonly amountMinor: bigint } | undefined): string {
  if (amount === undefined) return "";
  const digits = new Intl.NumberFormat("en", { style: "currency", currency: amount.currencyCode }).resolvedOptions().maximumFractionDigits ?? 2;
  return `${(Number(amount.amountMinor) / 10 ** digits).toFixed(digits)} ${amount.currencyCode}`;
}

export const rideStatusText = (status: number): string => (status === 0 ? "" : rideStatusFromWire(status));
export const driverStatusText = (status: number): string => (status === 0 ? "" : driverStatusFromWire(status));

export function ridesTable(rides: readonly Ride[]): Table {
  return {
    columns: ["ride", "status", "version", "attempt", "market", "rider", "driver", "fare", "requested"],
    rows: rides.map((ride) => [
      ride.rideId,
      rideStatusText(ride.status),
      ride.version,
      ride.attempt,
      ride.marketId,
      ride.riderId,
      ride.driverId,
      moneyText(ride.fare),
      timeText(ride.createTime),
    ]),
  };
}
