/**
 * What a process of RideGrid has around its apps: logger, metrics, the clock corrected to the database's, ids, dice.
 *
 * The one place where ambient time and randomness enter; apps get them passed in.
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  createCorrectedClock,
  createLogger,
  createSystemIds,
  createSystemRandom,
  createTelemetry,
  type Logger,
  type OnSpansLost,
  startOtlpTracing,
  type Tracing,
  type TracingConfig,
} from "@ridegrid/runtime";
import { type Composition, type CompositionOptions, compose } from "./compose.ts";
import { clockFirstMeasureWaitMs, spansLostReportEveryMs } from "./limits.ts";
import type { LogLevel } from "./read-environment.ts";

export type HostOptions = Omit<CompositionOptions, "context" | "metricsText"> & {
  readonly serviceName: string;
  readonly logger: Logger;
  /** A collector to send traces to, or a tracing that is set up already; off when undefined. */
  readonly tracing: TracingConfig | Tracing | undefined;
};

export interface HostedProcess {
  readonly composition: Composition;
  start(): Promise<void>;
  /** Stops the apps, then what they were given. Safe to call twice. */
  stop(): Promise<void>;
}

export async function hostProcess({ serviceName, logger, tracing, ...options }: HostOptions): Promise<HostedProcess> {
  const telemetry = createTelemetry({
    serviceName,
    tracing: tracing !== undefined && "endpoint" in tracing ? await startOtlpTracing(serviceName, tracing, lossReport(logger)) : tracing,
  });
  const ids = createSystemIds();
  const clock = createCorrectedClock(() => composition.databaseNowMs(), { logger });
  const context = {
    processId: `${serviceName}/${process.pid}/${ids.uuid()}`,
    clock,
    random: createSystemRandom(),
    ids,
    logger,
    meter: telemetry.meter,
    tracer: telemetry.tracer,
  };
  const composition = await compose({ ...options, context, metricsText: () => telemetry.prometheusText() });
  let stopped = false;

  async function keepMeasuring(): Promise<void> {
    while (!stopped) {
      try {
        return await clock.start();
      } catch (error) {
        logger.debug({ error: String(error) }, "cannot measure the clock yet");
        await sleep(clockFirstMeasureWaitMs);
      }
    }
  }

  return {
    composition,
    async start() {
      // A process whose peer is not up yet must not wait for it: until the first answer the machine's own time is used.
      await Promise.race([keepMeasuring(), sleep(clockFirstMeasureWaitMs)]);
      await composition.start();
    },
    async stop() {
      stopped = true;
      clock.stop();
      await composition.stop();
      await telemetry.shutdown();
    },
  };
}

/** A collector that is away fails every second; one line a minute says so. */
function lossReport(logger: Logger): OnSpansLost {
  let saidAt = Number.NEGATIVE_INFINITY;
  return (count, error) => {
    if (performance.now() - saidAt < spansLostReportEveryMs) return;
    saidAt = performance.now();
    logger.warn({ error, spans: count }, "Cannot export spans: the collector does not take them");
  };
}

export function meshLogger(format: "json" | "readable", level: LogLevel): Logger {
  return createLogger({ format, level });
}
