/**
 * telemetry-ingest of one region: positions of its drivers, checked and durable before they are acknowledged.
 *
 * Owns nothing but the order of each driver's reports since it started.
 */
import type { ConnectRouter } from "@connectrpc/connect";
import { IngestService, physicalTopic } from "@ridegrid/contracts";
import type { EventLog } from "@ridegrid/eventlog";
import { createServingRegions, type ServiceDirectory } from "@ridegrid/rpc";
import type { App, ProcessContext } from "@ridegrid/runtime";
import { marketsWithinReach, type RegionMarket, type Regions } from "@ridegrid/spatial";
import { createDriverMarks, type DriverMarks } from "./driver-marks.ts";
import { forwardPositions } from "./handlers/forward-positions.ts";
import { ingestHealth } from "./handlers/get-ingest-health.ts";
import { driversRememberedMax } from "./limits.ts";
import { createLogReachability, type LogReachability } from "./log-reachability.ts";
import { createMarketBuffer, type MarketBuffer } from "./market-buffer.ts";
import { positionRecords } from "./position-batch.ts";
import { createPositionIntake } from "./position-intake.ts";
import { createShiftLookup } from "./shift-lookup.ts";
import { createStreamOrder } from "./stream-order.ts";

export type TelemetryIngestDeps = {
  readonly context: ProcessContext;
  readonly region: string;
  readonly regions: Regions;
  readonly eventLog: EventLog;
  readonly directory: ServiceDirectory;
};

export type TelemetryIngest = App & { routes(router: ConnectRouter): void };

export function createTelemetryIngest(deps: TelemetryIngestDeps): TelemetryIngest {
  const { context, region, regions, eventLog, directory } = deps;
  const name = `telemetry-ingest.${region}`;
  const topic = physicalTopic(region, "driver-telemetry.v1");
  const markets = marketsWithinReach(regions, region);
  const serving = createServingRegions({ directory, serviceName: name });
  const isServed = (market: RegionMarket): boolean => serving.of(market.homeRegion) === region;
  const marks = createDriverMarks(driversRememberedMax);
  const log = createLogReachability({
    eventLog,
    topic,
    partition: markets[0]?.partition ?? 0,
    onChange: (detail) => (detail === "" ? context.logger.info("the event log answers") : context.logger.warn({ detail }, "the event log does not answer")),
  });
  const buffers = new Map(markets.map((market) => [market.marketId, bufferOf(market, { context, eventLog, topic, marks, log })]));
  const judged = context.meter.createCounter("telemetry_positions", { description: "Reported positions by outcome" });
  const intake = createPositionIntake({
    clock: context.clock,
    marks,
    streams: createStreamOrder(driversRememberedMax),
    shifts: createShiftLookup({ directory, clock: context.clock, serviceName: name }),
    bufferAt: (point) => bufferIn(buffers, regions.marketAt(point), isServed),
    onJudged: (outcome, positions) => judged.add(positions, { region, outcome }),
  });
  const draining = new AbortController();
  const startTimeMs = context.clock.nowMs();

  return {
    name,
    async start() {
      log.start();
      void serving.start();
    },
    async stop() {
      // What was taken is made durable and answered before the streams end.
      draining.abort();
      serving.stop();
      await Promise.all([...buffers.values()].map((buffer) => buffer.drain()));
      log.stop();
    },
    readiness: () => [{ name: "event log", ready: log.reachable, detail: log.detail }],
    routes: (router) =>
      router.service(IngestService, {
        forwardPositions: (requests, handler) => forwardPositions({ intake, draining: draining.signal }, requests, handler),
        getIngestHealth: () => ingestHealth({ name, region, startTimeMs, detail: log.detail }),
      }),
  };
}

type BufferDeps = {
  readonly context: ProcessContext;
  readonly eventLog: EventLog;
  readonly topic: string;
  readonly marks: DriverMarks;
  readonly log: LogReachability;
};

function bufferOf(market: RegionMarket, { context, eventLog, topic, marks, log }: BufferDeps): MarketBuffer {
  return createMarketBuffer({
    eventLog,
    topic,
    partition: market.partition,
    encode: (positions) => positionRecords(positions, { marketId: market.marketId, flushedAtMs: context.clock.nowMs(), ids: context.ids }),
    onDurable: (positions) => positions.forEach((position, driverId) => marks.settle(driverId, position)),
    onFailed(positions, cause) {
      for (const driverId of positions.keys()) marks.rollBack(driverId);
      log.lost(cause);
    },
  });
}

function bufferIn(
  buffers: ReadonlyMap<string, MarketBuffer>,
  market: RegionMarket | undefined,
  isServed: (market: RegionMarket) => boolean,
): MarketBuffer | undefined {
  return market === undefined || !isServed(market) ? undefined : buffers.get(market.marketId);
}
