/** The trace that an offer was proposed in. */
import type { Sql } from "@ridegrid/runtime";
import type { TraceOfOffer } from "./ride-store.traced.ts";

export function traceOfOfferIn(sql: Sql): TraceOfOffer {
  return async (offerId) => {
    const [row] = await sql<{ traceparent: string }[]>`SELECT traceparent FROM offer WHERE offer_id = ${offerId}`;
    return row?.traceparent ?? "";
  };
}
