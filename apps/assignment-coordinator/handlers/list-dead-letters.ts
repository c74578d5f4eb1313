/** Lists proposals that the coordinator could not apply, and what waits behind them: oldest first, over all regions. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@ridegrid/contracts";
import { ListDeadLettersResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { DeadLetterSchema, ListDeadLettersResponseSchema as PageSchema } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { createDeadLetterStore } from "@ridegrid/eventlog";
import { apiError, callerOf } from "@ridegrid/rpc";
import { pageSizeOf } from "../page-token.ts";
import { proposalConsumer } from "../proposal-intake.ts";
import { given } from "../request-facts.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

export function listDeadLetters({ sql, regions }: HandlerDeps): CoordinatorImpl["listDeadLetters"] {
  return async (request, context) => {
    const { role } = callerOf(context);
    if (role === "rider" || role === "driver") throw apiError("ROLE_NOT_ALLOWED", `Cannot list dead letters as "${role}"`);
    const { pageSize, pageToken, region } = given(request.command, "command");
    if (pageToken !== "" && !uuid.test(pageToken)) throw apiError("FIELD_INVALID", `Page token "${pageToken}" is none of this list's`, { field: "page_token" });
    if (region !== "" && !regions.all.some(({ id }) => id === region)) throw apiError("FIELD_INVALID", `There is no region "${region}"`, { field: "region" });
    const size = pageSizeOf(pageSize);
    const of = region === "" ? {} : { homeRegion: region };
    const found = await createDeadLetterStore().page(sql, { consumer: proposalConsumer, ...of, after: pageToken === "" ? null : pageToken, limit: size + 1 });
    const deadLetters = found.slice(0, size).map(({ id, homeRegion, offset, createdAtMs, headers, consumer, topic, partition, key, reason, attempts }) =>
      create(DeadLetterSchema, {
        deadLetterId: id,
        region: homeRegion,
        offset: BigInt(offset),
        createTime: timestampFromMs(createdAtMs),
        traceId: traceIdOf(headers["traceparent"] ?? ""),
        ...{ consumer, topic, partition, key, reason, attempts },
      }),
    );
    const nextPageToken = found.length > size ? (deadLetters.at(-1)?.deadLetterId ?? "") : "";
    return create(ListDeadLettersResponseSchema, { page: create(PageSchema, { deadLetters, nextPageToken }) });
  };
}

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function traceIdOf(traceparent: string): string {
  return /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(traceparent)?.[1] ?? "";
}
