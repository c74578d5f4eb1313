/** Opens a shift in the one market that the driver's location falls in. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { driverToWire, latLngFromWire, vehicleFromWire } from "@ridegrid/contracts";
import { GoOnlineRequestSchema } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { GoOnlineResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { decideGoOnline, driverId, type Refusal, type ShiftDecision, shiftId, regionId } from "@ridegrid/domain";
import { refusalError } from "@ridegrid/rpc";
import { regionDraining } from "../region-draining.ts";
import { callerAs, causeOf, given } from "../request-facts.ts";
import { requestKey } from "../request-key.ts";
import { answerOf } from "../ride-answer.ts";
import type { LoadedShift } from "../ride-store.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

export function goOnline({ store, regions, ids }: HandlerDeps): CoordinatorImpl["goOnline"] {
  return async (request, context) => {
    const caller = callerAs(context, "driver");
    const command = given(request.command, "command");
    const market = regions.marketAt(latLngFromWire(command.location, "location"));
    if (market === undefined) throw refusalError(outside);
    const { marketId, homeRegion, partition } = market;
    const shift = {
      shiftId: shiftId(ids.uuid()),
      marketId,
      partition,
      vehicle: vehicleFromWire(command.vehicle),
      acceptReassignment: command.acceptReassignment,
    };
    const decide = ({ driver, serving, nowMs }: LoadedShift): ShiftDecision => {
      const server = serving.of(homeRegion);
      if (server.draining) return regionDraining(server.region);
      return decideGoOnline(driver, { ...shift, homeRegion: regionId(server.region), startedAtMs: nowMs }, { nowMs });
    };
    const outcome = await store.changeShift({
      request: requestKey(caller, "GoOnline", GoOnlineRequestSchema, command),
      cause: causeOf(context, command.requestId),
      driverId: driverId(caller.principal),
      opensIn: marketId,
      next: (loaded, done) => (done === 0 ? { kind: "shift", decision: decide(loaded) } : null),
      answer: (driver) => toBinary(GoOnlineResponseSchema, create(GoOnlineResponseSchema, { driver: driverToWire(driver, null) })),
    });
    return fromBinary(GoOnlineResponseSchema, answerOf(outcome));
  };
}

const outside: Refusal = { kind: "refused", reason: "outside_service_area", message: "Cannot go online: the location lies in no market" };
