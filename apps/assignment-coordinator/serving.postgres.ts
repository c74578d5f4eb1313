/**
 * Which region serves a market now: the one it is configured in, or after a takeover that one's neighbor.
 *
 * Whoever opens something new in a market (a ride, a shift) shares the market's lock until it commits, and reads after it;
 * a takeover holds it alone. So nothing new is ever committed at home in a region that was taken over.
 */
import type { Queryable } from "@ridegrid/eventlog";
import type { Regions } from "@ridegrid/spatial";
import { claimedSql } from "./request-store.postgres.ts";
import type { RegionState } from "./operator-store.ts";

export type Serving = {
  /** The region that serves what is configured in `region`. */
  of(region: string): RegionState;
};

/** With the hash of the market's name: the key of its advisory lock. */
const marketLocks = 7_306_201;

export async function shareMarket(tx: Queryable, marketId: string): Promise<void> {
  await tx`SELECT pg_advisory_xact_lock_shared(${marketLocks}, hashtext(${marketId}))`;
}

/** Sent when it is called, not when it is awaited: whoever sends it first and `readServing` next reads after the lock. */
export async function shareMarketOfQuote(tx: Queryable, quoteId: string): Promise<void> {
  await tx.unsafe(shareOfQuoteSql, [marketLocks, quoteId], { prepare: true });
}

const shareOfQuoteSql = `SELECT pg_advisory_xact_lock_shared($1, hashtext(market_id)) FROM fare_quote WHERE quote_id = $2 AND ${claimedSql}`;

export async function holdMarkets(tx: Queryable, marketIds: readonly string[]): Promise<void> {
  for (const marketId of marketIds.toSorted()) await tx`SELECT pg_advisory_xact_lock(${marketLocks}, hashtext(${marketId}))`;
}

export async function readServing(sql: Queryable): Promise<Serving> {
  const states = new Map((await readRegionStates(sql)).map((state) => [state.region, state]));
  const stateOf = (region: string): RegionState => states.get(region) ?? untouched(region);
  return { of: (region) => stateOf(stateOf(region).servedBy) };
}

/** Regions that nobody has touched are left out. */
export async function readRegionStates(sql: Queryable): Promise<readonly RegionState[]> {
  return await sql<RegionState[]>`SELECT region, draining, served_by AS "servedBy", epoch::float8 AS epoch FROM region_state ORDER BY region`;
}

/** Where a market is configured; a market that the regions file no longer names is where it was. */
export function configuredHome(regions: Regions, place: { readonly marketId: string; readonly homeRegion: string }): string {
  return regions.market(place.marketId)?.homeRegion ?? place.homeRegion;
}

export function untouched(region: string): RegionState {
  return { region, draining: false, servedBy: region, epoch: 0 };
}
