/** Every charge, fee and waiver is a transfer that sums to zero in whole minor units, in any currency, whatever the amount. */
import { describe, expect, test } from "bun:test";
import { driverId, marketId, money, quoteId, regionId, type Ride, rideId, riderId } from "@ridegrid/domain";
import fc from "fast-check";
import { type Transfer, transferOf, waiverOf } from "./ledger.ts";

const currencies = fc.constantFrom("USD", "GBP", "JPY", "KWD");
const amounts = fc.integer({ min: 0, max: 100_000_000 });

function ride(currencyCode: string, fareMinor: number, changes: Partial<Ride>): Ride {
  return {
    rideId: rideId("ride"),
    riderId: riderId("r-1"),
    quoteId: quoteId("quote"),
    marketId: marketId("nyc"),
    homeRegion: regionId("ewr"),
    partition: 0,
    pickup: { latitude: 0, longitude: 0 },
    dropoff: { latitude: 0, longitude: 0 },
    seats: 1,
    fare: money(currencyCode, fareMinor),
    surge: 1,
    tripMeters: 0,
    tripSeconds: 0,
    status: "completed",
    version: 6,
    attempt: 1,
    blockedDrivers: [],
    offer: null,
    timer: null,
    searchDeadlineMs: 0,
    assignedAtMs: 0,
    noShowAtMs: null,
    startedAtMs: 0,
    endedAtMs: 0,
    lastDriverId: driverId("d-1"),
    lastVehicle: null,
    canceledBy: null,
    cancelReason: null,
    cancellationFee: null,
    createTimeMs: 0,
    updateTimeMs: 0,
    ...changes,
  };
}

function change(after: Ride, body: "RideCompleted" | "RideCanceled") {
  const canceled = { type: "RideCanceled", by: "rider", reason: "other", fee: after.cancellationFee, offerId: null } as const;
  const event = { rideId: after.rideId, version: 6, driverId: null, driverVersion: null, occurredAtMs: 0 };
  return {
    kind: "ride",
    before: null,
    ride: after,
    driver: null,
    event: { ...event, body: body === "RideCompleted" ? ({ type: "RideCompleted", by: "driver", note: "" } as const) : canceled },
  } as const;
}

function expectBalanced(transfer: Transfer | null, currencyCode: string): void {
  const lines = transfer?.lines ?? [];
  expect(lines.reduce((sum, { amount }) => sum + amount.amountMinor, 0)).toBe(0);
  for (const { amount } of lines) {
    expect(amount.currencyCode).toBe(currencyCode);
    expect(Number.isSafeInteger(amount.amountMinor)).toBe(true);
  }
}

describe("transferOf()", () => {
  test("a completed ride charges the rider exactly the locked fare, and the lines sum to zero", () => {
    fc.assert(
      fc.property(currencies, amounts, (currencyCode, fareMinor) => {
        const transfer = transferOf(change(ride(currencyCode, fareMinor, {}), "RideCompleted"));
        expectBalanced(transfer, currencyCode);
        expect(transfer?.lines.find(({ account }) => account === "rider:r-1")?.amount.amountMinor).toBe(0 - fareMinor);
        expect(transfer?.lines.every(({ account, amount }) => account === "rider:r-1" || amount.amountMinor >= 0)).toBe(true);
      }),
    );
  });

  test("a fee charges exactly the fee, with a driver or without, and a waiver gives exactly that back", () => {
    fc.assert(
      fc.property(currencies, amounts, fc.boolean(), (currencyCode, feeMinor, driven) => {
        const canceled = ride(currencyCode, 2_000, {
          status: "canceled",
          cancellationFee: money(currencyCode, feeMinor),
          lastDriverId: driven ? driverId("d-1") : null,
        });
        const charged = transferOf(change(canceled, "RideCanceled"));
        const waived = waiverOf(canceled, 1);
        expectBalanced(charged, currencyCode);
        expectBalanced(waived, currencyCode);
        for (const { account, amount } of charged?.lines ?? []) {
          // Adding zero makes no difference between 0 and -0.
          expect((waived?.lines.find((line) => line.account === account)?.amount.amountMinor ?? Number.NaN) + amount.amountMinor + 0).toBe(0);
        }
      }),
    );
  });

  test("a ride canceled for free moves no money, and there is nothing to waive", () => {
    const canceled = ride("USD", 2_000, { status: "canceled" });
    expect(transferOf(change(canceled, "RideCanceled"))).toBeNull();
    expect(waiverOf(canceled, 1)).toBeNull();
  });
});
