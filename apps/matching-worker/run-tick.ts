/**
 * One tick around its pure plan: forget what had no effect, plan, commit the proposals under the lease, and remember
 * them. Proposals that were not stored are taken back; those that may have been are refused by their versions.
 */
import { putBounded } from "@ridegrid/domain";
import type { Lease } from "@ridegrid/eventlog";
import type { ProcessContext } from "@ridegrid/runtime";
import { explanationsKeptMax } from "./limits.ts";
import type { MarketState } from "./market-state.ts";
import { planTick, type PlannedOffer, type PlannedProposal, type TickPlan } from "./plan-tick.ts";
import { proposalRow } from "./proposal-row.ts";
import type { ProposalStore } from "./proposal-store.ts";
import type { TickTracing } from "./tick-tracing.ts";
import type { WorkerMetrics } from "./worker-metrics.ts";

export type TickDeps = {
  readonly context: Pick<ProcessContext, "clock" | "ids" | "logger">;
  readonly state: MarketState;
  readonly lease: Lease;
  readonly store: ProposalStore;
  readonly metrics: WorkerMetrics;
  readonly tracing: TickTracing;
  /** By ride: the last proposal, for whoever asks why. */
  readonly explanations: Map<string, PlannedOffer>;
  readonly onStored: () => void;
};

/** "fenced": the lease is another's, and this session must end. */
export async function runTick(deps: TickDeps): Promise<"done" | "fenced"> {
  const { context, state, metrics } = deps;
  const nowMs = context.clock.nowMs();
  metrics.proposals("forgotten", state.proposals.forget(nowMs));
  const plan = planned(state, nowMs, metrics);
  const proposals: readonly PlannedProposal[] = [...plan.offers, ...plan.releases];
  if (proposals.length === 0) return "done";
  // Remembered first: events of the very offers may arrive before the commit's answer does.
  state.proposals.sent(proposals, nowMs);
  try {
    const outcome = await store(proposals, nowMs, deps);
    if (outcome === "fenced") return "fenced";
  } catch (error) {
    state.proposals.takeBack(proposals);
    context.logger.warn({ error, market: state.market.marketId }, `Cannot store ${proposals.length} proposals; planning again`);
    return "done";
  }
  metrics.proposals("offer", plan.offers.length);
  metrics.proposals("release", plan.releases.length);
  for (const offer of plan.offers) putBounded(deps.explanations, [offer.rideId, offer], explanationsKeptMax);
  deps.onStored();
  return "done";
}

function planned(state: MarketState, nowMs: number, metrics: WorkerMetrics): TickPlan {
  const beganAt = performance.now();
  const plan = planTick(state, nowMs);
  metrics.tick((performance.now() - beganAt) / 1_000);
  return plan;
}

async function store(proposals: readonly PlannedProposal[], nowMs: number, deps: TickDeps): Promise<"stored" | "fenced"> {
  const { context, state, lease, store, metrics, tracing } = deps;
  const trace = tracing.begin(proposals);
  const origin = { market: state.market, homeRegion: lease.homeRegion, leaseEpoch: lease.epoch, nowMs, ids: context.ids };
  const rows = proposals.map((one) => proposalRow(one, { ...origin, traceparent: trace.of(one.rideId) }));
  const outcome = await store.commit(lease, rows).catch((error: unknown) => {
    trace.end("failed");
    throw error;
  });
  trace.end(outcome);
  if (outcome === "fenced") metrics.proposals("fenced", proposals.length);
  return outcome;
}
