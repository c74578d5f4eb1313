/** Lists the events of a ride, each with where it came from and how long after the one before. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@ridegrid/contracts";
import { type GetRideTimelineRequest, type GetRideTimelineResponse, GetRideTimelineResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { TimelineEntrySchema } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { timelineEntriesMax } from "../limits.ts";
import { requireRegion, type StateQueryParts } from "../state-query-parts.ts";

export async function getRideTimeline(parts: StateQueryParts, request: GetRideTimelineRequest): Promise<GetRideTimelineResponse> {
  requireRegion(parts, request.region);
  const rows = await parts.rides.timeline(request.rideId, timelineEntriesMax);
  const entries = rows.map((row, index) => {
    const before = rows[index - 1] ?? row;
    return create(TimelineEntrySchema, {
      type: row.type,
      version: BigInt(row.version),
      occurTime: timestampFromMs(row.occurTimeMs),
      region: parts.region,
      topic: row.topic,
      partition: row.partition,
      offset: BigInt(row.offset),
      outboxId: BigInt(row.outboxId),
      elapsedMs: BigInt(row.occurTimeMs - before.occurTimeMs),
      driverId: row.driverId ?? "",
      traceId: row.traceId,
      eventId: row.eventId,
    });
  });
  return create(GetRideTimelineResponseSchema, { entries });
}
