/** Ends a shift. A pending offer is declined with it, as one change of the driver; one that has expired is expired first. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { driverToWire } from "@ridegrid/contracts";
import { GoOfflineRequestSchema } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { GoOfflineResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { decideGoOffline, decideRide, driverId } from "@ridegrid/domain";
import type { Regions } from "@ridegrid/spatial";
import { marketRules } from "../market-rules.ts";
import { callerAs, causeOf, given } from "../request-facts.ts";
import { requestKey } from "../request-key.ts";
import { answerOf } from "../ride-answer.ts";
import type { LoadedShift, ShiftStep } from "../ride-store.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

export function goOffline({ store, regions }: HandlerDeps): CoordinatorImpl["goOffline"] {
  return async (request, context) => {
    const caller = callerAs(context, "driver");
    const command = given(request.command, "command");
    const outcome = await store.changeShift({
      request: requestKey(caller, "GoOffline", GoOfflineRequestSchema, command),
      cause: causeOf(context, command.requestId),
      driverId: driverId(caller.principal),
      opensIn: null,
      next: (loaded, done) => nextStep(loaded, done, regions),
      answer: (driver) => toBinary(GoOfflineResponseSchema, create(GoOfflineResponseSchema, { driver: driverToWire(driver, null) })),
    });
    return fromBinary(GoOfflineResponseSchema, answerOf(outcome));
  };
}

function nextStep({ driver, ride, nowMs }: LoadedShift, done: number, regions: Regions): ShiftStep | null {
  if (done > 0 && driver.status === "offline") return null;
  if (ride?.status !== "offered" || ride.offer?.driverId !== driver.driverId) return { kind: "shift", decision: decideGoOffline(driver, { nowMs }) };
  const { offerId, expiresAtMs } = ride.offer;
  const command =
    nowMs >= expiresAtMs ? ({ type: "FireTimer" } as const) : ({ type: "DeclineOffer", driverId: driver.driverId, offerId, goingOffline: true } as const);
  return { kind: "ride", decision: decideRide(ride, driver, command, { nowMs, ...marketRules(regions, ride) }) };
}
