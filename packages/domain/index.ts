/** The pure rules of RideGrid: rides, offers, drivers, fares, markets. No dependencies, no clock, no dice. */
export { putBounded } from "./bounded-map.ts";
export { cancellationFee, type CancellationQuote, noShowFee, quoteCancellation } from "./cancellation-fee.ts";
export type { Clock, IdSource, Random } from "./clock.ts";
export {
  decideGoOffline,
  decideGoOnline,
  decideRide,
  type DecisionContext,
  type Refusal,
  type RefusalReason,
  type RideCommand,
  type RideDecision,
  type ShiftDecision,
} from "./decide.ts";
export { type Driver, type DriverStatus, evolveDriver, evolveShift, newDriver, type Shift, type ShiftEvent } from "./driver.ts";
export { estimateTrip, type FareQuote, fareMinor, quoteFare, type QuoteInputs } from "./fare-quote.ts";
export { haversineMeters, type LatLng } from "./geo.ts";
export {
  driverId,
  eventId,
  marketId,
  offerId,
  proposalId,
  quoteId,
  regionId,
  rideId,
  riderId,
  shiftId,
  type DriverId,
  type EventId,
  type MarketId,
  type OfferId,
  type ProposalId,
  type QuoteId,
  type RegionId,
  type RideId,
  type RiderId,
  type ShiftId,
} from "./ids.ts";
export { defaultDispatchPolicy, type DispatchPolicy, type Market, type Tariff, type TravelModel } from "./market.ts";
export { money, type Money } from "./money.ts";
export {
  evolveRide,
  isOpen,
  rideDriver,
  type CancelReason,
  type LiveOffer,
  type OfferStatus,
  type Party,
  type Ride,
  type RideEvent,
  type RideEventBody,
  type RideStatus,
  type RideTimer,
  type Vehicle,
} from "./ride.ts";
export { unreachable } from "./unreachable.ts";
