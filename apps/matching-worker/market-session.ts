/**
 * Matching one market while its lease lasts: a snapshot, the log from there on, and a tick each second.
 *
 * It learns of rides from the log only. Only a gap in versions or an offset out of bounds makes it ask for a snapshot
 * again; a log that is silent stalls it, for what is not known cannot be proposed.
 */
import { physicalTopic } from "@ridegrid/contracts";
import { createProcessTelemetry, type EventLog, type Lease, type StoredRecord } from "@ridegrid/eventlog";
import type { ServiceDirectory } from "@ridegrid/rpc";
import type { ProcessContext } from "@ridegrid/runtime";
import { applyDriverRecord, applyPositionsRecord, applyRideRecord } from "./apply-record.ts";
import { lagRefreshMs, logSilenceMaxMs, retryDelayMaxMs, retryDelayMinMs, snapshotIntervalMinMs, sweepIntervalMs, tickMs } from "./limits.ts";
import { createLogFollower, type LogFollower } from "./log-follower.ts";
import { createMarketPublisher } from "./market-publisher.ts";
import { applySnapshot, type MarketState } from "./market-state.ts";
import { pause } from "./pause.ts";
import type { PlannedOffer } from "./plan-tick.ts";
import type { ProposalStore } from "./proposal-store.ts";
import type { Applied } from "./ride-book.ts";
import { createRideTraces, type RideTraces } from "./ride-traces.ts";
import { runTick } from "./run-tick.ts";
import { type StartOffsets, takeSnapshot } from "./take-snapshot.ts";
import { createTickTracing } from "./tick-tracing.ts";
import type { WorkerMetrics } from "./worker-metrics.ts";

export interface MarketSession {
  readonly lease: Lease;
  readonly state: MarketState;
  readonly explanations: ReadonlyMap<string, PlannedOffer>;
  readonly followers: readonly LogFollower[];
  /** Records behind, by physical topic, as last measured. */
  readonly lags: ReadonlyMap<string, number>;
  /** Why it does not match just now; empty while it does. */
  stall(): string;
  /** Until the lease's signal aborts, or its epoch is over. Never rejects. */
  run(): Promise<void>;
}

export type SessionDeps = {
  readonly context: ProcessContext;
  readonly serviceName: string;
  readonly lease: Lease;
  readonly state: MarketState;
  readonly eventLog: EventLog;
  readonly directory: ServiceDirectory;
  readonly store: ProposalStore;
  readonly metrics: WorkerMetrics;
  readonly onStored: () => void;
};

export function createMarketSession(deps: SessionDeps): MarketSession {
  const { lease, state, context } = deps;
  const explanations = new Map<string, PlannedOffer>();
  const lags = new Map<string, number>();
  const traces = createRideTraces();
  let followers: readonly LogFollower[] = [];
  let waiting = "no snapshot was taken yet";

  function stall(): string {
    if (followers.length === 0) return waiting;
    const silent = followers.find((one) => one.answeredAtMs === null || context.clock.nowMs() - one.answeredAtMs > logSilenceMaxMs);
    return silent === undefined
      ? ""
      : `the event log does not answer for ${silent.topic}/${silent.partition}${silent.failure === "" ? "" : `: ${silent.failure}`}`;
  }

  /** One snapshot and what follows, until a gap asks for the next one. */
  async function follow(offsets: StartOffsets, signal: AbortSignal): Promise<string> {
    const { promise: ended, resolve: end } = Promise.withResolvers<string>();
    signal.addEventListener("abort", () => end("stopped"), { once: true });
    const over = new AbortController();
    followers = followersOf({ ...deps, traces }, offsets, end);
    const both = AbortSignal.any([signal, over.signal]);
    const work = [
      ...followers.map((one) => one.run(both).then((how) => end(how))),
      ticks({ ...deps, traces }, { followers, explanations, stall }, both).then(end),
      measureLags(deps, followers, lags, both),
    ];
    const why = await ended;
    over.abort();
    await Promise.all(work);
    followers = [];
    return why;
  }

  async function run(): Promise<void> {
    let why = "start";
    for (let failures = 0; !lease.signal.aborted && why !== "fenced";) {
      try {
        deps.metrics.snapshot(why);
        const start = await takeSnapshot({ ...deps, region: lease.homeRegion, partition: lease.partition, nowMs: context.clock.nowMs(), signal: lease.signal });
        applySnapshot(state, start.snapshot);
        failures = 0;
        why = await follow(start.offsets, lease.signal);
        waiting = `asking for a snapshot again: ${why}`;
        if (why !== "stopped" && why !== "fenced") context.logger.warn({ market: state.market.marketId, why }, "Asking the coordinator for open work again");
        await pause(snapshotIntervalMinMs, lease.signal);
      } catch (error) {
        waiting = `no snapshot could be taken: ${error instanceof Error ? error.message : String(error)}`;
        if (failures === 0) context.logger.warn({ error, market: state.market.marketId }, "Cannot take a snapshot; trying again");
        await pause(Math.min(retryDelayMaxMs, retryDelayMinMs * 2 ** failures++) * (0.5 + context.random.next() / 2), lease.signal);
      }
    }
  }

  return {
    lease,
    state,
    explanations,
    get followers() {
      return followers;
    },
    lags,
    stall,
    run,
  };
}

type Ticking = { readonly followers: readonly LogFollower[]; readonly explanations: Map<string, PlannedOffer>; readonly stall: () => string };

type TracedDeps = SessionDeps & { readonly traces: RideTraces };

async function ticks(deps: TracedDeps, { followers, explanations, stall }: Ticking, signal: AbortSignal): Promise<string> {
  const { context, state } = deps;
  const publisher = createMarketPublisher(deps);
  const tracing = createTickTracing({ tracer: context.tracer, traces: deps.traces, region: deps.lease.homeRegion, market: state.market.marketId });
  let sweptAtMs = context.clock.nowMs();
  for (;;) {
    await pause(tickMs, signal);
    if (signal.aborted) return "stopped";
    updateHearing(state, followers, context.clock.nowMs());
    if (stall() !== "") {
      deps.metrics.stalled();
      continue;
    }
    if ((await runTick({ ...deps, tracing, explanations })) === "fenced") return "fenced";
    void publisher.publish(state, explanations);
    if (context.clock.nowMs() - sweptAtMs < sweepIntervalMs) continue;
    sweptAtMs = context.clock.nowMs();
    state.drivers.sweep(sweptAtMs);
  }
}

function followersOf(deps: TracedDeps, offsets: StartOffsets, needSnapshot: (why: string) => void): readonly LogFollower[] {
  const { context, eventLog, lease, state, metrics } = deps;
  const follower = (
    name: "ride-events.v1" | "driver-events.v1" | "driver-telemetry.v1",
    fromOffset: number,
    apply: (state: MarketState, value: Uint8Array) => Applied,
  ): LogFollower => {
    const topic = physicalTopic(lease.homeRegion, name);
    const onRecord = (record: StoredRecord): void => {
      try {
        if (apply(state, record.value) === "gap") needSnapshot(`a version is missing before offset ${record.offset} of ${topic}`);
      } catch (error) {
        // What it would have said is missing now: the next version of that ride will show the gap.
        metrics.unreadable(topic);
        context.logger.error({ error, topic, offset: record.offset }, "Cannot read a record; going on without it");
      }
    };
    const processing = createProcessTelemetry({ ...context, topic, partition: lease.partition, consumer: lease.consumer });
    const around = (records: readonly StoredRecord[], work: () => void): void =>
      processing.aroundSync(records, work, name === "ride-events.v1" ? deps.traces.note(records) : []);
    return createLogFollower({ context, eventLog, topic, partition: lease.partition, fromOffset, onRecord, around });
  };
  return [
    follower("ride-events.v1", offsets.rideEvents, applyRideRecord),
    follower("driver-events.v1", offsets.driverEvents, applyDriverRecord),
    follower("driver-telemetry.v1", offsets.telemetry, applyPositionsRecord),
  ];
}

/** A driver's silence counts only while every position that was reported would have been seen. */
function updateHearing(state: MarketState, followers: readonly LogFollower[], nowMs: number): void {
  const telemetry = followers.find((one) => one.topic.endsWith("driver-telemetry.v1"));
  const hears = telemetry !== undefined && telemetry.atEnd && nowMs - (telemetry.answeredAtMs ?? 0) <= logSilenceMaxMs;
  state.hearingSinceMs = hears ? (state.hearingSinceMs ?? nowMs) : null;
}

async function measureLags(
  { eventLog, metrics }: SessionDeps,
  followers: readonly LogFollower[],
  lags: Map<string, number>,
  signal: AbortSignal,
): Promise<void> {
  for (; !signal.aborted; await pause(lagRefreshMs, signal)) {
    for (const one of followers) {
      if (signal.aborted) return;
      // A read that reached the end says so itself; only one that is behind asks the log.
      const end = one.atEnd
        ? one.nextOffset
        : await eventLog.bounds(one.topic, one.partition).then(
            (bounds) => bounds.end,
            () => undefined,
          );
      if (end === undefined) continue;
      const records = Math.max(0, end - one.nextOffset);
      lags.set(one.topic, records);
      metrics.lag({ topic: one.topic, partition: one.partition, records });
    }
  }
}
