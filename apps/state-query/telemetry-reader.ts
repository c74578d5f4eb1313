/**
 * Follows `driver-telemetry.v1` of the region's partitions into memory. Every process does, lease or not: positions
 * are shown, never decided by. The log away leaves the last positions where they are.
 */
import { fromBinary } from "@bufbuild/protobuf";
import { physicalTopic } from "@ridegrid/contracts";
import { PositionBatchSchema } from "@ridegrid/contracts/gen/event/v1/events_pb";
import { type EventLog, OffsetBelowStart } from "@ridegrid/eventlog";
import type { ProcessContext } from "@ridegrid/runtime";
import type { LastPositions } from "./last-positions.ts";
import { logWaitMs, positionFutureMaxMs, positionsBackfillMs, telemetryBatchBytesMax, telemetryBatchRecordsMax } from "./limits.ts";
import { retryForever } from "./retry-forever.ts";

export type TelemetryReaderDeps = {
  readonly context: ProcessContext;
  readonly region: string;
  readonly eventLog: EventLog;
  readonly positions: LastPositions;
};

const limits = { maxRecords: telemetryBatchRecordsMax, maxBytes: telemetryBatchBytesMax, maxWaitMs: logWaitMs };

/** Resolves when `signal` aborts. */
export async function followTelemetry(deps: TelemetryReaderDeps, partition: number, signal: AbortSignal): Promise<void> {
  const { context, eventLog, positions } = deps;
  const topic = physicalTopic(deps.region, "driver-telemetry.v1");
  let next: number | null = null;
  const step = async (): Promise<void> => {
    const from: number = next ?? (await eventLog.offsetAt(topic, partition, context.clock.nowMs() - positionsBackfillMs));
    next = from;
    const records = await eventLog.read(topic, partition, from, limits, signal);
    for (const record of records) {
      applyBatch(record.value);
      next = record.offset + 1;
    }
  };
  const applyBatch = (value: Uint8Array): void => {
    try {
      positions.apply(fromBinary(PositionBatchSchema, value), context.clock.nowMs() + positionFutureMaxMs);
    } catch (error) {
      // Matching's consumer of the same record accounts for it; here it only fails to move a car on a map.
      context.logger.warn({ error, topic, partition }, "dropped a batch of positions that does not decode");
    }
  };
  const onFailure = (error: unknown, attempt: number): void => {
    // Trimmed away while we were behind: whatever is there now is newer.
    if (error instanceof OffsetBelowStart) next = null;
    if (attempt === 1) context.logger.warn({ error, topic, partition }, "cannot read positions; trying again");
  };
  await retryForever(step, { random: context.random, signal, onFailure });
}
