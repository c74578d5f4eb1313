/** Positions of one market as records of `driver-telemetry.v1`: columns, for a row's field names would outweigh it. */
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@ridegrid/contracts";
import { type PositionBatch, PositionBatchSchema } from "@ridegrid/contracts/gen/event/v1/events_pb";
import type { IdSource } from "@ridegrid/domain";
import type { LogRecord } from "@ridegrid/eventlog";
import type { ReceivedPosition } from "./judge-position.ts";
import { positionsPerRecordMax } from "./limits.ts";

export type BatchOrigin = { readonly marketId: string; readonly flushedAtMs: number; readonly ids: IdSource };

export function positionRecords(positions: ReadonlyMap<string, ReceivedPosition>, origin: BatchOrigin): readonly LogRecord[] {
  const records: LogRecord[] = [];
  let batch = emptyBatch(origin);
  for (const [driverId, position] of positions) {
    addRow(batch, driverId, position);
    if (batch.driverIds.length < positionsPerRecordMax) continue;
    records.push(record(batch, origin));
    batch = emptyBatch(origin);
  }
  if (batch.driverIds.length > 0) records.push(record(batch, origin));
  return records;
}

function emptyBatch({ marketId, flushedAtMs }: BatchOrigin): PositionBatch {
  return create(PositionBatchSchema, { marketId, flushTime: timestampFromMs(flushedAtMs) });
}

function addRow(batch: PositionBatch, driverId: string, row: ReceivedPosition): void {
  batch.driverIds.push(driverId);
  batch.sequences.push(BigInt(row.sequence));
  batch.latitudes.push(row.latitude);
  batch.longitudes.push(row.longitude);
  batch.headingsDegrees.push(row.headingDegrees);
  batch.speedsMps.push(row.speedMps);
  batch.accuraciesM.push(row.accuracyM);
  batch.observeTimesMs.push(BigInt(Math.round(row.observedAtMs)));
}

function record(batch: PositionBatch, { marketId, ids }: BatchOrigin): LogRecord {
  return { key: marketId, value: toBinary(PositionBatchSchema, batch), headers: { "event-id": ids.uuid(), type: "PositionBatch" } };
}
