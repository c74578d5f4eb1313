/** The three public services: which use case answers which method. */
import type { ConnectRouter } from "@connectrpc/connect";
import { DriverService, OpsService, RiderService } from "@ridegrid/contracts";
import type { ProcessContext } from "@ridegrid/runtime";
import type { ServiceDirectory, ServingRegions } from "@ridegrid/rpc";
import type { Regions } from "@ridegrid/spatial";
import { listDeadLetters, replayDeadLetters } from "./handlers/dead-letters.ts";
import { driverCommands } from "./handlers/driver-commands.ts";
import { getPipelineHealth, type GetPipelineHealthDeps } from "./handlers/get-pipeline-health.ts";
import { getRide } from "./handlers/get-ride.ts";
import { listInvariantViolations } from "./handlers/list-invariant-violations.ts";
import { listRegions } from "./handlers/list-regions.ts";
import { operatorCommands } from "./handlers/operator-commands.ts";
import { rebuildReadModel } from "./handlers/rebuild-read-model.ts";
import { reportPositions } from "./handlers/report-positions.ts";
import { explainMatch, getRideForOperators, getRideTimeline } from "./handlers/ride-for-operators.ts";
import { riderCommands } from "./handlers/rider-commands.ts";
import { searchDrivers } from "./handlers/search-drivers.ts";
import { searchRides } from "./handlers/search-rides.ts";
import { streamPositions } from "./handlers/stream-positions.ts";
import { watchMarket } from "./handlers/watch-market.ts";
import { watchOffers } from "./handlers/watch-offers.ts";
import { watchRide } from "./handlers/watch-ride.ts";
import { createRideLocator } from "./ride-locator.ts";
import { createRideReader } from "./ride-reader.ts";
import { createShiftMoves } from "./shift-moves.ts";
import type { PositionStreams } from "./position-stream.ts";
import type { SubmitPositions } from "./submit-positions.ts";

export type PublicServicesDeps = {
  readonly context: ProcessContext;
  readonly region: string;
  readonly regions: Regions;
  readonly directory: ServiceDirectory;
  readonly pinSecret: string;
  readonly submit: SubmitPositions;
  readonly streams: PositionStreams;
  readonly serving: ServingRegions;
  readonly heartbeatIntervalMs: number;
  readonly ownProcess: GetPipelineHealthDeps["ownProcess"];
};

/** Called once for each port, so that both share what is remembered. */
export function publicServices(deps: PublicServicesDeps): (router: ConnectRouter) => void {
  const { context, directory, regions } = deps;
  const { random } = context;
  const moves = createShiftMoves();
  const locator = createRideLocator(directory, context.clock, deps.serving);
  const shared = {
    ...deps,
    random,
    moves,
    locator,
    reader: createRideReader({ directory, regions, locator, clock: context.clock }),
  };
  return (router) => {
    router.service(RiderService, {
      ...riderCommands(shared),
      getRide: (request, call) => getRide(shared, request, call),
      watchRide: (request, call) => watchRide(shared, request, call),
    });
    router.service(DriverService, {
      ...driverCommands(shared),
      reportPositions: (request, call) => reportPositions(deps.submit, request, call),
      streamPositions: (requests, call) => streamPositions(deps.streams, requests, call),
      watchOffers: (request, call) => watchOffers(shared, request, call),
    });
    router.service(OpsService, {
      ...operatorCommands(shared),
      listRegions: (_, call) => listRegions(shared, call),
      searchRides: (request, call) => searchRides(shared, request, call),
      searchDrivers: (request, call) => searchDrivers(shared, request, call),
      getRide: (request, call) => getRideForOperators(shared, request, call),
      getRideTimeline: (request, call) => getRideTimeline(shared, request, call),
      explainMatch: (request, call) => explainMatch(shared, request, call),
      listInvariantViolations: (_, call) => listInvariantViolations(shared, call),
      getPipelineHealth: (_, call) => getPipelineHealth(shared, call),
      watchMarket: (request, call) => watchMarket(shared, request, call),
      listDeadLetters: (request, call) => listDeadLetters(shared, request, call),
      replayDeadLetters: (request, call) => replayDeadLetters(shared, request, call),
      rebuildReadModel: (request, call) => rebuildReadModel(shared, request, call),
    });
  };
}
