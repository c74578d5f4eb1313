/** A market is a city: the unit of matching, with its own currency, tariff, travel speed and dispatch policy. */
import type { MarketId, RegionId } from "./ids.ts";

/** Amounts in minor units of the market's currency. */
export type Tariff = {
  readonly baseMinor: number;
  readonly perKilometerMinor: number;
  readonly perMinuteMinor: number;
  readonly minimumMinor: number;
  readonly bookingFeeMinor: number;
  /** What a rider pays who cancels later than the policy's `freeCancelMs` after the assignment. */
  readonly cancellationFeeMinor: number;
  /** What a rider pays who does not come to the pickup. */
  readonly noShowFeeMinor: number;
};

/** How vehicles move where no street network is known: great-circle distance × `detour`, at `speedMps`. */
export type TravelModel = { readonly speedMps: number; readonly detour: number };

/** Bounds of a ride's life, in the units of their names. `../../docs/architecture.md` lists what each one fires. */
export type DispatchPolicy = {
  readonly offerTtlMs: number;
  readonly searchMs: number;
  readonly arrivalFactor: number;
  readonly arrivalSlackMs: number;
  readonly arrivalMaxMs: number;
  readonly arrivalRadiusMeters: number;
  readonly freeCancelMs: number;
  readonly noShowMs: number;
  readonly noShowMaxMs: number;
  readonly driverSilentMs: number;
  readonly quoteTtlMs: number;
  readonly pinTriesMax: number;
  readonly pickupEtaMaxSeconds: number;
  readonly pickupEtaTypicalSeconds: number;
};

export type Market = {
  readonly marketId: MarketId;
  readonly homeRegion: RegionId;
  readonly partition: number;
  readonly currencyCode: string;
  readonly timeZone: string;
  readonly tariff: Tariff;
  readonly travel: TravelModel;
  readonly policy: DispatchPolicy;
};

const minuteMs = 60_000;

export const defaultDispatchPolicy: DispatchPolicy = {
  offerTtlMs: 15_000,
  searchMs: 5 * minuteMs,
  arrivalFactor: 2,
  arrivalSlackMs: 10 * minuteMs,
  arrivalMaxMs: 60 * minuteMs,
  arrivalRadiusMeters: 150,
  freeCancelMs: 2 * minuteMs,
  noShowMs: 5 * minuteMs,
  noShowMaxMs: 15 * minuteMs,
  driverSilentMs: minuteMs,
  quoteTtlMs: 5 * minuteMs,
  pinTriesMax: 5,
  pickupEtaMaxSeconds: 1_800,
  pickupEtaTypicalSeconds: 300,
};
