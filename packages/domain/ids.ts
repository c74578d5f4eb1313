/**
 * Branded identifiers. A brand costs nothing at run time and keeps a driver's id out of a ride's place.
 *
 * Ids that RideGrid makes are UUIDv7 strings; people (riders, drivers, operators) are their token's subject.
 */
declare const brand: unique symbol;
type Id<Name extends string> = string & { readonly [brand]: Name };

export type RideId = Id<"RideId">;
export type OfferId = Id<"OfferId">;
export type QuoteId = Id<"QuoteId">;
export type ProposalId = Id<"ProposalId">;
export type ShiftId = Id<"ShiftId">;
export type EventId = Id<"EventId">;
export type RiderId = Id<"RiderId">;
export type DriverId = Id<"DriverId">;
export type MarketId = Id<"MarketId">;
export type RegionId = Id<"RegionId">;

export const rideId = (value: string): RideId => value as RideId;
export const offerId = (value: string): OfferId => value as OfferId;
export const quoteId = (value: string): QuoteId => value as QuoteId;
export const proposalId = (value: string): ProposalId => value as ProposalId;
export const shiftId = (value: string): ShiftId => value as ShiftId;
export const eventId = (value: string): EventId => value as EventId;
export const riderId = (value: string): RiderId => value as RiderId;
export const driverId = (value: string): DriverId => value as DriverId;
export const marketId = (value: string): MarketId => value as MarketId;
export const regionId = (value: string): RegionId => value as RegionId;
