/**
 * What each public method costs, and from which of its caller's buckets: the one table. A method that is missing here
 * does not compile.
 *
 * One token is one cheap call. Lists and searches cost more than one row; what works on a whole region costs most.
 */
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { DriverService, OpsService, RiderService } from "@ridegrid/contracts";

export type PrincipalBucket = "calls" | "positions" | "streams";
export type MethodCost = { readonly bucket: PrincipalBucket; readonly cost: number };

const cheap: MethodCost = { bucket: "calls", cost: 1 };
const search: MethodCost = { bucket: "calls", cost: 2 };
const regional: MethodCost = { bucket: "calls", cost: 10 };
/** A batch, whatever it holds: its size is bounded by the schema. */
const positions: MethodCost = { bucket: "positions", cost: 1 };
/** Opening one; what it then carries is bounded by what its reader takes. */
const stream: MethodCost = { bucket: "streams", cost: 1 };

const riderCosts = {
  quoteFare: cheap,
  requestRide: cheap,
  getRide: cheap,
  listRides: cheap,
  quoteCancellation: cheap,
  cancelRide: cheap,
  watchRide: stream,
} as const satisfies Record<keyof typeof RiderService.method, MethodCost>;

const driverCosts = {
  goOnline: cheap,
  goOffline: cheap,
  getDriver: cheap,
  streamPositions: stream,
  reportPositions: positions,
  watchOffers: stream,
  acceptOffer: cheap,
  declineOffer: cheap,
  arriveAtPickup: cheap,
  startRide: cheap,
  completeRide: cheap,
  cancelRide: cheap,
} as const satisfies Record<keyof typeof DriverService.method, MethodCost>;

const opsCosts = {
  listRegions: cheap,
  watchMarket: stream,
  searchRides: search,
  searchDrivers: search,
  getRide: cheap,
  getRideTimeline: cheap,
  listInvariantViolations: search,
  getPipelineHealth: search,
  listDeadLetters: search,
  replayDeadLetters: search,
  explainMatch: search,
  drainRegion: cheap,
  undrainRegion: cheap,
  takeOverRegion: regional,
  cancelRide: cheap,
  completeRide: cheap,
  waiveFee: cheap,
  resetPinTries: cheap,
  rebuildReadModel: regional,
  listAuditEntries: search,
} as const satisfies Record<keyof typeof OpsService.method, MethodCost>;

const costs: ReadonlyMap<DescMethod, MethodCost> = new Map([
  ...rows(RiderService, riderCosts),
  ...rows(DriverService, driverCosts),
  ...rows(OpsService, opsCosts),
]);

export function methodCost(method: DescMethod): MethodCost {
  return costs.get(method) ?? cheap;
}

function rows(service: DescService, table: Readonly<Record<string, MethodCost>>): readonly (readonly [DescMethod, MethodCost])[] {
  return service.methods.map((method) => [method, table[method.localName] ?? cheap] as const);
}
