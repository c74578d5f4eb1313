/** Reads the view `invariant_violations`: empty on a healthy platform. */
import type { Queryable } from "@ridegrid/eventlog";
import { violationsListedMax } from "./limits.ts";

type Violation = { readonly invariant: string; readonly rideId: string; readonly driverId: string; readonly detail: string };

export async function readViolations(sql: Queryable): Promise<readonly Violation[]> {
  return await sql<Violation[]>`
    SELECT invariant, coalesce(ride_id::text, '') AS "rideId", coalesce(driver_id, '') AS "driverId", detail FROM invariant_violations LIMIT ${violationsListedMax}`;
}
