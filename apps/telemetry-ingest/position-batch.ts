/** Positions of one market as records of `driver-telemetry.v1`: columns, for a row's field names would outweigh it. */
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@ridegrid/contracts";
import { PositionBatchSchema } from "@ridegrid/contracts/gen/event/v1/events_pb";
import type { IdSource } from "@ridegrid/domain";
import type { LogRecord } from "@ridegrid/eventlog";
import type { GoodPosition } from "./judge-position.ts";
import { positionsPerRecordMax } from "./limits.ts";

export type BatchOrigin = { readonly marketId: string; readonly flushedAtMs: number; readonly ids: IdSource };

export function positionRecords(positions: ReadonlyMap<string, GoodPosition>, origin: BatchOrigin): readonly LogRecord[] {
  const rows = [...positions];
  const records: LogRecord[] = [];
  for (let start = 0; start < rows.length; start += positionsPerRecordMax) records.push(record(rows.slice(start, start + positionsPerRecordMax), origin));
  return records;
}

function record(rows: readonly (readonly [string, GoodPosition])[], { marketId, flushedAtMs, ids }: BatchOrigin): LogRecord {
  const batch = create(PositionBatchSchema, {
    marketId,
    flushTime: timestampFromMs(flushedAtMs),
    driverIds: rows.map(([driverId]) => driverId),
    sequences: rows.map(([, row]) => BigInt(row.sequence)),
    latitudes: rows.map(([, row]) => row.latitude),
    longitudes: rows.map(([, row]) => row.longitude),
    headingsDegrees: rows.map(([, row]) => row.headingDegrees),
    speedsMps: rows.map(([, row]) => row.speedMps),
    accuraciesM: rows.map(([, row]) => row.accuracyM),
    observeTimesMs: rows.map(([, row]) => BigInt(Math.round(row.observedAtMs))),
  });
  return { key: marketId, value: toBinary(PositionBatchSchema, batch), headers: { "event-id": ids.uuid(), type: "PositionBatch" } };
}
