/** `CoordinatorService`: every method behind the gate, one handler each. What is missing here answers `unimplemented`. */
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import { CoordinatorService } from "@ridegrid/contracts";
import { callerKey } from "@ridegrid/rpc";
import type { CommandGate } from "./command-gate.ts";
import { acceptOffer } from "./handlers/accept-offer.ts";
import { arriveAtPickup } from "./handlers/arrive-at-pickup.ts";
import { cancelRide } from "./handlers/cancel-ride.ts";
import { completeRide } from "./handlers/complete-ride.ts";
import { declineOffer } from "./handlers/decline-offer.ts";
import { drainRegion, undrainRegion } from "./handlers/drain-region.ts";
import { getDriver } from "./handlers/get-driver.ts";
import { getPipelineHealth, type PipelineHealthDeps } from "./handlers/get-pipeline-health.ts";
import { getRide } from "./handlers/get-ride.ts";
import { goOffline } from "./handlers/go-offline.ts";
import { goOnline } from "./handlers/go-online.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handlers/handler.ts";
import { listAuditEntries } from "./handlers/list-audit-entries.ts";
import { listDeadLetters } from "./handlers/list-dead-letters.ts";
import { listInvariantViolations } from "./handlers/list-invariant-violations.ts";
import { listOpenWork } from "./handlers/list-open-work.ts";
import { listRegionStates } from "./handlers/list-region-states.ts";
import { listRides } from "./handlers/list-rides.ts";
import { locateDriver, locateRide } from "./handlers/locate.ts";
import { now } from "./handlers/now.ts";
import { operatorCancelRide } from "./handlers/operator-cancel-ride.ts";
import { operatorCompleteRide } from "./handlers/operator-complete-ride.ts";
import { quoteCancellation } from "./handlers/quote-cancellation.ts";
import { quoteFare } from "./handlers/quote-fare.ts";
import { recordOperatorAct } from "./handlers/record-operator-act.ts";
import { releaseRide } from "./handlers/release-ride.ts";
import { replayDeadLetters } from "./handlers/replay-dead-letters.ts";
import { requestRide } from "./handlers/request-ride.ts";
import { resetPinTries } from "./handlers/reset-pin-tries.ts";
import { startRide } from "./handlers/start-ride.ts";
import { takeOverRegion } from "./handlers/take-over-region.ts";
import { waiveFee } from "./handlers/waive-fee.ts";

export function coordinatorRoutes(router: ConnectRouter, gate: CommandGate, deps: HandlerDeps & PipelineHealthDeps): void {
  const gated = <Request, Response>(handler: (request: Request, context: HandlerContext) => Response | Promise<Response>) => {
    return (request: Request, context: HandlerContext): Promise<Response> => gate.run(async () => handler(request, context), isOwn(context));
  };
  const implementation: Partial<CoordinatorImpl> = {
    quoteFare: gated(quoteFare(deps)),
    requestRide: gated(requestRide(deps)),
    cancelRide: gated(cancelRide(deps)),
    quoteCancellation: gated(quoteCancellation(deps)),
    listRides: gated(listRides(deps)),
    goOnline: gated(goOnline(deps)),
    goOffline: gated(goOffline(deps)),
    getDriver: gated(getDriver(deps)),
    acceptOffer: gated(acceptOffer(deps)),
    declineOffer: gated(declineOffer(deps)),
    arriveAtPickup: gated(arriveAtPickup(deps)),
    startRide: gated(startRide(deps)),
    completeRide: gated(completeRide(deps)),
    releaseRide: gated(releaseRide(deps)),
    operatorCancelRide: gated(operatorCancelRide(deps)),
    operatorCompleteRide: gated(operatorCompleteRide(deps)),
    waiveFee: gated(waiveFee(deps)),
    resetPinTries: gated(resetPinTries(deps)),
    drainRegion: gated(drainRegion(deps)),
    undrainRegion: gated(undrainRegion(deps)),
    takeOverRegion: gated(takeOverRegion(deps)),
    listAuditEntries: gated(listAuditEntries(deps)),
    listDeadLetters: gated(listDeadLetters(deps)),
    replayDeadLetters: gated(replayDeadLetters(deps)),
    recordOperatorAct: gated(recordOperatorAct(deps)),
    getRide: gated(getRide(deps)),
    locateRide: gated(locateRide(deps)),
    locateDriver: gated(locateDriver(deps)),
    listOpenWork: gated(listOpenWork(deps)),
    now: gated(now(deps)),
    listInvariantViolations: gated(listInvariantViolations(deps)),
    listRegionStates: gated(listRegionStates(deps)),
    getPipelineHealth: gated(getPipelineHealth(deps)),
  };
  router.service(CoordinatorService, implementation);
}

/** RideGrid's own calls keep the platform going, and operators mend it: neither waits for riders and drivers. */
function isOwn(context: HandlerContext): boolean {
  const role = context.values.get(callerKey)?.role;
  return role !== "rider" && role !== "driver";
}
