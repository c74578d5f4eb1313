/**
 * Records of the three topics that matching reads, into a market's state. What does not decode throws. A partition may
 * carry several markets: the others' rides and positions are passed over; drivers are not, for they may move.
 */
import { fromBinary } from "@bufbuild/protobuf";
import { decodeDriverEvent, decodeRideEvent, driverFromWire } from "@ridegrid/contracts";
import { PositionBatchSchema } from "@ridegrid/contracts/gen/event/v1/events_pb";
import type { MarketState } from "./market-state.ts";
import type { Applied } from "./ride-book.ts";

export function applyRideRecord(state: MarketState, value: Uint8Array): Applied {
  const { event, envelope } = decodeRideEvent(value);
  if (envelope.marketId !== state.market.marketId) return "known";
  return state.rides.apply(event);
}

export function applyDriverRecord(state: MarketState, value: Uint8Array): Applied {
  return state.drivers.apply(driverFromWire(decodeDriverEvent(value).driver, state.market.partition));
}

export function applyPositionsRecord(state: MarketState, value: Uint8Array): Applied {
  const batch = fromBinary(PositionBatchSchema, value);
  if (batch.marketId !== state.market.marketId) return "known";
  state.drivers.placeAll(batch);
  return "applied";
}
