/** Lists what the read models of this region could not apply, and what waits behind it: oldest first. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@ridegrid/contracts";
import {
  type ListRegionDeadLettersRequest,
  type ListRegionDeadLettersResponse,
  ListRegionDeadLettersResponseSchema,
} from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { DeadLetterSchema, ListDeadLettersResponseSchema } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { createDeadLetterStore } from "@ridegrid/eventlog";
import { apiError } from "@ridegrid/rpc";
import { consumerName } from "../consumer-name.ts";
import { searchPageDefault, searchPageMax } from "../limits.ts";
import { traceIdOf } from "../ride-record.ts";
import { requireRegion, type StateQueryParts } from "../state-query-parts.ts";

export async function listRegionDeadLetters(parts: StateQueryParts, request: ListRegionDeadLettersRequest): Promise<ListRegionDeadLettersResponse> {
  requireRegion(parts, request.region);
  const { pageSize = 0, pageToken = "" } = request.command ?? {};
  if (pageToken !== "" && !uuidPattern.test(pageToken))
    throw apiError("FIELD_INVALID", `Cannot list from page token "${pageToken}": no page gave it`, { field: "page_token" });
  const size = pageSize === 0 ? searchPageDefault : Math.min(pageSize, searchPageMax);
  const after = pageToken === "" ? null : pageToken;
  const found = await createDeadLetterStore().page(parts.sql, { consumer: consumerName, homeRegion: parts.region, after, limit: size + 1 });
  const shown = found.slice(0, size);
  const deadLetters = shown.map(({ id, homeRegion, createdAtMs, offset, headers, consumer, topic, partition, key, reason, attempts }) =>
    create(DeadLetterSchema, {
      deadLetterId: id,
      region: homeRegion,
      offset: BigInt(offset),
      createTime: timestampFromMs(createdAtMs),
      traceId: traceIdOf(headers["traceparent"] ?? ""),
      ...{ consumer, topic, partition, key, reason, attempts },
    }),
  );
  const nextPageToken = found.length > size ? (shown.at(-1)?.id ?? "") : "";
  return create(ListRegionDeadLettersResponseSchema, { page: create(ListDeadLettersResponseSchema, { deadLetters, nextPageToken }) });
}

const uuidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
