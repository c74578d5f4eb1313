/**
 * RequestRide: a quote becomes a ride. Nothing is locked: UNIQUE (quote_id) and the rider's one open ride decide races,
 * and whoever loses one reads at the next try what won.
 */
import { decideRide, type FareQuote, regionId, rideId } from "@ridegrid/domain";
import type { Queryable } from "@ridegrid/eventlog";
import { apiError } from "@ridegrid/rpc";
import type { RideChange } from "./change.ts";
import { marketRules } from "./market-rules.ts";
import { regionDraining } from "./region-draining.ts";
import { type QuoteRow, quoteFromRow } from "./quote-store.postgres.ts";
import { claimRequest, writeOfOutcome } from "./request-store.postgres.ts";
import type { RideStoreDeps } from "./ride-store-deps.ts";
import type { NewRideWork, Outcome } from "./ride-store.ts";
import { configuredHome, readServing, type Serving, shareMarketOfQuote } from "./serving.postgres.ts";
import { type Decided, runCommand } from "./transaction.postgres.ts";
import { writesOf } from "./write-changes.postgres.ts";

type LoadedQuote = {
  readonly quote: FareQuote;
  readonly quoteUsed: boolean;
  readonly riderHasOpenRide: boolean;
  readonly serving: Serving;
  readonly nowMs: number;
};
type Facts = QuoteRow & { readonly quote_used: boolean; readonly open_ride: boolean; readonly now: Date };

type Result = { readonly outcome: Outcome; readonly homeRegion: string | null };

export async function requestRide(deps: RideStoreDeps, work: NewRideWork): Promise<Outcome> {
  const { outcome, homeRegion } = await runCommand<readonly [Outcome | null, LoadedQuote | null], Result>(deps.sql, deps.ids, {
    read: (tx) => Promise.all([claimRequest(tx, work.request), loadQuote(tx, work)]),
    decide: ([claim, loaded], nextId) => (claim === null ? decide(deps, work, loaded, nextId) : ends(claim)),
  });
  if (homeRegion !== null) deps.onCommit(homeRegion);
  return outcome;
}

function decide(deps: RideStoreDeps, work: NewRideWork, loaded: LoadedQuote | null, nextId: () => string): Decided<Result> {
  // After the request id: an answer that was given stays given. Nothing is dropped to make room.
  if (deps.isOutboxFull()) throw apiError("OVERLOADED", "Cannot take a new ride: too many events wait to be published");
  if (loaded === null) return ends({ kind: "refused", reason: "quote_not_found", message: `Quote "${work.quoteId}" was not found` });
  const { quoteUsed, riderHasOpenRide, nowMs } = loaded;
  // The market may have been taken over since it was quoted.
  const server = loaded.serving.of(configuredHome(deps.regions, loaded.quote));
  const quote = { ...loaded.quote, homeRegion: regionId(server.region) };
  const command = { type: "RequestRide", rideId: rideId(nextId()), riderId: work.riderId, quote, quoteUsed, riderHasOpenRide } as const;
  const decision = decideRide(null, null, command, { nowMs, ...marketRules(deps.regions, quote) });
  if (decision.kind === "refused") return ends(decision);
  if (server.draining) return ends(regionDraining(server.region));
  const change: RideChange = { kind: "ride", before: null, event: decision.event, ride: decision.ride, driver: null };
  const outcome = { kind: "answered", answer: work.answer(change) } as const;
  const writes = writesOf([{ change, cause: work.cause }], nextId);
  return { result: { outcome, homeRegion: quote.homeRegion }, writes: [...writes, writeOfOutcome(work.request, outcome)] };
}

/** Without a change. */
function ends(outcome: Outcome): Decided<Result> {
  return { result: { outcome, homeRegion: null }, writes: [] };
}

async function loadQuote(tx: Queryable, { quoteId, riderId }: NewRideWork): Promise<LoadedQuote | null> {
  const [, facts, serving] = await Promise.all([
    shareMarketOfQuote(tx, quoteId),
    tx<Facts[]>`
      SELECT quote.*, EXISTS (SELECT FROM ride WHERE quote_id = ${quoteId}) AS quote_used,
        EXISTS (SELECT FROM ride WHERE rider_id = ${riderId} AND status IN ('requested', 'offered', 'assigned', 'arrived', 'in_progress')) AS open_ride,
        date_trunc('milliseconds', clock_timestamp()) AS now
      FROM fare_quote quote WHERE quote_id = ${quoteId}`,
    readServing(tx),
  ]);
  const [fact] = facts;
  if (fact === undefined) return null;
  return { quote: quoteFromRow(fact), quoteUsed: fact.quote_used, riderHasOpenRide: fact.open_ride, serving, nowMs: fact.now.getTime() };
}
