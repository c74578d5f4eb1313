/**
 * Tells `market-state.v1` of a market's supply and demand each few seconds, when they changed or were long not told.
 * A whole snapshot each time, so one that is lost does no harm.
 */
import { toBinary } from "@bufbuild/protobuf";
import { physicalTopic } from "@ridegrid/contracts";
import { MarketStateSchema } from "@ridegrid/contracts/gen/event/v1/events_pb";
import type { EventLog } from "@ridegrid/eventlog";
import type { ProcessContext } from "@ridegrid/runtime";
import { marketStateIntervalMs, marketStateRepeatMs } from "./limits.ts";
import { countCells, marketStateMessage } from "./market-cells.ts";
import type { MarketState } from "./market-state.ts";
import type { PlannedOffer } from "./plan-tick.ts";

export interface MarketPublisher {
  /** Call each tick. Never rejects. */
  publish(state: MarketState, explanations: ReadonlyMap<string, PlannedOffer>): Promise<void>;
}

export function createMarketPublisher(deps: {
  readonly context: Pick<ProcessContext, "clock" | "ids" | "logger">;
  readonly eventLog: EventLog;
  readonly lease: { readonly homeRegion: string };
}): MarketPublisher {
  const { context, eventLog, lease } = deps;
  let last = { cells: "", atMs: Number.NEGATIVE_INFINITY };
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  let busy = false;

  return {
    async publish(state, explanations) {
      const nowMs = context.clock.nowMs();
      if (busy || nowMs - lookedAtMs < marketStateIntervalMs) return;
      lookedAtMs = nowMs;
      const counts = countCells(state, nowMs);
      const cells = JSON.stringify(counts);
      if (cells === last.cells && nowMs - last.atMs < marketStateRepeatMs) return;
      const { marketId, partition, policy } = state.market;
      const message = marketStateMessage({
        marketId,
        cells: counts,
        pickupEtaSeconds: typicalEtaSeconds(explanations) ?? policy.pickupEtaTypicalSeconds,
        nowMs,
      });
      const record = { key: marketId, value: toBinary(MarketStateSchema, message), headers: { "event-id": context.ids.uuid(), type: "MarketState" } };
      busy = true;
      try {
        await eventLog.append(physicalTopic(lease.homeRegion, "market-state.v1"), partition, [record]);
        last = { cells, atMs: nowMs };
      } catch (error) {
        context.logger.debug({ error, market: marketId }, "Cannot publish the market's state; the next one follows");
      } finally {
        busy = false;
      }
    },
  };
}

const recentOffers = 50;

/** The median of the last offers' ETAs; undefined before the first. */
function typicalEtaSeconds(explanations: ReadonlyMap<string, PlannedOffer>): number | undefined {
  const etas = [...explanations.values()].slice(-recentOffers).map((offer) => offer.pickupEtaSeconds);
  return etas.toSorted((a, b) => a - b)[Math.floor(etas.length / 2)];
}
