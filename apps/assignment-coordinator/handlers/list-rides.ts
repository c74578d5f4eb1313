/** The calling rider's rides, newest first. */
import { create } from "@bufbuild/protobuf";
import { rideToWire } from "@ridegrid/contracts";
import { ListRidesResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { ListRidesResponseSchema as PageSchema } from "@ridegrid/contracts/gen/rider/v1/rider_service_pb";
import type { Ride } from "@ridegrid/domain";
import type { Sql } from "@ridegrid/runtime";
import { decodePageToken, encodePageToken, type PageKey, pageSizeOf } from "../page-token.ts";
import { callerAs, given } from "../request-facts.ts";
import { rideFromRow, type RideRow } from "../ride-row.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

export function listRides({ sql }: HandlerDeps): CoordinatorImpl["listRides"] {
  return async (request, context) => {
    const { principal } = callerAs(context, "rider");
    const { pageSize, pageToken, openOnly } = given(request.command, "command");
    const size = pageSizeOf(pageSize);
    const found = await readPage(sql, { riderId: principal, openOnly, after: decodePageToken(pageToken), rowsMax: size + 1 });
    const rides = found.slice(0, size);
    const last = rides.at(-1);
    const nextPageToken = found.length > size && last !== undefined ? encodePageToken({ createTimeMs: last.createTimeMs, id: last.rideId }) : "";
    return create(ListRidesResponseSchema, { page: create(PageSchema, { rides: rides.map(rideToWire), nextPageToken }) });
  };
}

type Asked = { readonly riderId: string; readonly openOnly: boolean; readonly after: PageKey | null; readonly rowsMax: number };

async function readPage(sql: Sql, { riderId, openOnly, after, rowsMax }: Asked): Promise<readonly Ride[]> {
  const open = openOnly ? sql`AND status IN ('requested', 'offered', 'assigned', 'arrived', 'in_progress')` : sql``;
  const below = after === null ? sql`` : sql`AND (create_time, ride_id) < (${new Date(after.createTimeMs)}::timestamptz, ${after.id}::uuid)`;
  const rows = await sql<RideRow[]>`SELECT * FROM ride WHERE rider_id = ${riderId} ${open} ${below} ORDER BY create_time DESC, ride_id DESC LIMIT ${rowsMax}`;
  return rows.map(rideFromRow);
}
