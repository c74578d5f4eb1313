/**
 * The contract: services, the topic catalogue, and domain <-> wire codecs. Generated messages are imported from
 * `@ridegrid/contracts/gen/<area>/v1/<file>_pb`.
 */
export { type ConcernedOffer, decodeDriverEvent, type DriverChange, driverFromWire, driverToWire, encodeDriverEvent } from "./driver-codec.ts";
export { DriverService } from "./gen/ridegrid/driver/v1/driver_service_pb.ts";
export { CoordinatorService, IngestService, MatchingService, StateService } from "./gen/ridegrid/mesh/v1/mesh_pb.ts";
export { OpsService } from "./gen/ridegrid/ops/v1/ops_service_pb.ts";
export { RiderService } from "./gen/ridegrid/rider/v1/rider_service_pb.ts";
export {
  latLngFromWire,
  latLngToWire,
  moneyFromWire,
  moneyToWire,
  offerToWire,
  openRideFromWire,
  openRideToWire,
  rideToWire,
  vehicleFromWire,
} from "./ride-codec.ts";
export { decodeRideEvent, encodeRideEvent, type Envelope, envelopeFromWire, envelopeToWire } from "./ride-event-codec.ts";
export { ridePin } from "./ride-pin.ts";
export { columnsIn, createPageDraft, type PageColumns, type PageDraft, type PositionRun, type ReportedPosition, rowsIn } from "./position-page.ts";
export { msFromTimestamp, optionalTime, timestampFromMs } from "./time-codec.ts";
export { partitionsPerTopic, physicalTopic, topicCatalogue, type TopicName, type TopicSpec } from "./topics.ts";
export {
  cancelReasonFromWire,
  cancelReasonToWire,
  driverStatusFromWire,
  driverStatusToWire,
  offerStatusFromWire,
  offerStatusToWire,
  partyFromWire,
  partyToWire,
  rideStatusFromWire,
  rideStatusToWire,
} from "./wire-enums.ts";
