/**
 * Single commands on Postgres. On a ride two round trips each: begin, request id, locks and clock; one statement of all writes, commit.
 */
import { changeRide } from "./change-ride.postgres.ts";
import { changeShift } from "./change-shift.postgres.ts";
import { requestRide } from "./new-ride.postgres.ts";
import { saveQuote } from "./quote-store.postgres.ts";
import type { RideStoreDeps } from "./ride-store-deps.ts";
import type { RideStore } from "./ride-store.ts";

export function createPostgresRideStore(deps: RideStoreDeps): RideStore {
  return {
    saveQuote: (quote) => saveQuote(deps.sql, quote),
    requestRide: (work) => requestRide(deps, work),
    changeRide: (work) => changeRide(deps, work),
    changeShift: (work) => changeShift(deps, work),
  };
}
