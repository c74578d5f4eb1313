/** What operators did, newest first. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@ridegrid/contracts";
import { ListAuditEntriesResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { ListAuditEntriesResponseSchema as PageSchema } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { apiError, callerOf } from "@ridegrid/rpc";
import { decodePageToken, encodePageToken, pageSizeOf } from "../page-token.ts";
import { given } from "../request-facts.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

type AuditRow = { auditId: string; principal: string; method: string; reason: string; subject: string; before: string; after: string; createTime: Date };

export function listAuditEntries({ sql }: HandlerDeps): CoordinatorImpl["listAuditEntries"] {
  return async (request, context) => {
    const { role } = callerOf(context);
    if (role === "rider" || role === "driver") throw apiError("ROLE_NOT_ALLOWED", `Cannot list audit entries as "${role}"`);
    const { pageSize, pageToken } = given(request.command, "command");
    const size = pageSizeOf(pageSize);
    const after = decodePageToken(pageToken);
    const below = after === null ? sql`` : sql`WHERE (create_time, audit_id) < (${new Date(after.createTimeMs)}::timestamptz, ${after.id}::uuid)`;
    const rows = await sql<AuditRow[]>`
      SELECT audit_id AS "auditId", principal, method, reason, subject, before, after, create_time AS "createTime"
      FROM audit_entry ${below} ORDER BY create_time DESC, audit_id DESC LIMIT ${size + 1}`;
    const last = rows.slice(0, size).at(-1);
    const nextPageToken = rows.length > size && last !== undefined ? encodePageToken({ createTimeMs: last.createTime.getTime(), id: last.auditId }) : "";
    const entries = rows.slice(0, size).map(({ createTime, ...entry }) => ({ ...entry, createTime: timestampFromMs(createTime.getTime()) }));
    return create(ListAuditEntriesResponseSchema, { page: create(PageSchema, { entries, nextPageToken }) });
  };
}
