/** What this process shows from the log without deciding by it: drivers' last positions, and markets' supply and demand. */
import { fromBinary } from "@bufbuild/protobuf";
import { MarketStateSchema, PositionBatchSchema } from "@ridegrid/contracts/gen/event/v1/events_pb";
import { type FollowedTopic, followTopic } from "./follow-topic.ts";
import type { LastPositions } from "./last-positions.ts";
import { marketStateBackfillMs, positionFutureMaxMs, positionsBackfillMs } from "./limits.ts";
import type { MarketCells } from "./market-cells.ts";

type Source = Pick<FollowedTopic, "context" | "region" | "eventLog">;

/** Resolves when `signal` aborts. */
export function followTelemetry({ positions, ...source }: Source & { readonly positions: LastPositions }, partition: number, signal: AbortSignal) {
  const { clock } = source.context;
  const apply = (value: Uint8Array): void => void positions.apply(fromBinary(PositionBatchSchema, value), clock.nowMs() + positionFutureMaxMs);
  return followTopic({ ...source, name: "driver-telemetry.v1", backfillMs: positionsBackfillMs, apply }, partition, signal);
}

/** Resolves when `signal` aborts. */
export function followMarketState({ cells, ...source }: Source & { readonly cells: MarketCells }, partition: number, signal: AbortSignal) {
  const apply = (value: Uint8Array): void => cells.apply(fromBinary(MarketStateSchema, value));
  return followTopic({ ...source, name: "market-state.v1", backfillMs: marketStateBackfillMs, apply }, partition, signal);
}
