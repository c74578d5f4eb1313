/**
 * Turns a page of offer proposals into offers: one statement decides, so that no interleaving can assign twice.
 *
 * It locks the rides by id, keeps what is still true of them, locks those rides' proposed drivers by id, keeps the
 * available ones, and inserts offers by driver id; a unique index settles what is left. Its rules are `sendOffer`'s of
 * the domain, and the differential test holds the two together: a page means its proposals taken by (driver id,
 * position), one after the other.
 *
 * Events are protobuf, so their outbox rows follow in a second statement of the same transaction, made from what the
 * first one returned: after the row locks, and committed or lost with the offers.
 */
import { offerId, proposalId, type RideEvent } from "@ridegrid/domain";
import { appendOutbox } from "@ridegrid/eventlog";
import { outboxRowsOf } from "./change.ts";
import type { GuardDeps, OfferProposal } from "./proposal.ts";
import { driverColumns, driverFromRow, type DriverRow } from "./driver-row.ts";
import { rideFactColumns, rideFromRow, type RideRow, rideStateColumns, set } from "./ride-row.ts";
import type { Tx } from "./tx.ts";

type OfferMade = { readonly event: RideEvent; readonly proposal: OfferProposal };

/** Answers the offers that were made, by ride; a proposal without one was refused and leaves nothing behind. */
export async function offerProposals(tx: Tx, page: readonly OfferProposal[], deps: GuardDeps, nextId: () => string): Promise<readonly OfferMade[]> {
  if (page.length === 0) return [];
  const proposals = page.map((proposal, position) => ({ ...toRow(proposal, position), offer_id: nextId() }));
  const ttls = deps.marketIds.map((marketId) => ({ market_id: marketId, offer_ttl_ms: deps.policyOfMarket(marketId).offerTtlMs }));
  const rows = await tx.unsafe<WonRow[]>(guardSql, [JSON.stringify(proposals), JSON.stringify(ttls), deps.matchingConsumer], { prepare: true });
  const made = rows.map((row) => madeFrom(row, page));
  await appendOutbox(
    tx,
    made.flatMap(({ change, proposal }) => {
      const { causationId, traceparent } = proposal;
      return outboxRowsOf(change, { correlationId: proposal.proposalId, causationId, traceparent }, nextId);
    }),
  );
  return made.map(({ change, proposal }) => ({ event: change.event, proposal }));
}

type WonRow = { readonly position: number; readonly lease_epoch: number; readonly ride: JsonRow<RideRow>; readonly driver: JsonRow<DriverRow> };
/** `to_jsonb` of a row: times are text. */
type JsonRow<Row> = { readonly [Column in keyof Row]: Row[Column] extends Date ? string : Date extends Row[Column] ? string | null : Row[Column] };

const guardSql = `
  WITH proposal AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1::text::jsonb) AS p(
      position integer, proposal_id uuid, ride_id uuid, ride_version bigint, home_region text, lease_epoch bigint, driver_id text, pickup_eta_seconds integer, offer_id uuid, traceparent text)
  ), policy AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($2::text::jsonb) AS m(market_id text, offer_ttl_ms double precision)
  ), locked_ride AS MATERIALIZED (
    SELECT r.* FROM ride r WHERE r.ride_id IN (SELECT ride_id FROM proposal) ORDER BY r.ride_id FOR UPDATE
  ), candidate AS MATERIALIZED (
    SELECT p.*, r.market_id, r.seats, r.attempt, policy.offer_ttl_ms
    FROM proposal p
    JOIN locked_ride r ON r.ride_id = p.ride_id
    JOIN policy ON policy.market_id = r.market_id
    JOIN matching.lease l ON l.home_region = r.home_region AND l.consumer = $3 AND l.partition = r.partition
    WHERE r.status = 'requested' AND r.version = p.ride_version AND r.home_region = p.home_region AND l.epoch = p.lease_epoch AND NOT (p.driver_id = ANY (r.blocked_drivers))
  ), locked_driver AS MATERIALIZED (
    SELECT d.* FROM driver d WHERE d.driver_id IN (SELECT driver_id FROM candidate) ORDER BY d.driver_id FOR UPDATE
  ), clock AS MATERIALIZED (
    -- Counting reads every lock first: the clock is read after them.
    SELECT date_trunc('milliseconds', clock_timestamp()) AS now FROM (SELECT count(*) FROM locked_driver) locked
  ), won AS (
    INSERT INTO offer (offer_id, ride_id, driver_id, attempt, status, expire_time, proposal_id, lease_epoch, pickup_eta_seconds, create_time, traceparent)
    SELECT c.offer_id, c.ride_id, c.driver_id, c.attempt, 'pending', clock.now + c.offer_ttl_ms * interval '1 millisecond', c.proposal_id, c.lease_epoch, c.pickup_eta_seconds, clock.now, c.traceparent
    FROM candidate c
    JOIN locked_driver d ON d.driver_id = c.driver_id
    CROSS JOIN clock
    WHERE d.status = 'available' AND d.market_id = c.market_id AND d.vehicle_seats >= c.seats
    ORDER BY c.driver_id, c.position
    ON CONFLICT DO NOTHING
    RETURNING *
  ), offered_ride AS (
    UPDATE ride r SET status = 'offered', version = r.version + 1, offer_id = won.offer_id, driver_id = won.driver_id, offer_expire_time = won.expire_time,
      pickup_eta_seconds = won.pickup_eta_seconds, vehicle_seats = d.vehicle_seats, vehicle_plate = d.vehicle_plate, vehicle_model = d.vehicle_model,
      timer_kind = 'offer', timer_at = won.expire_time, update_time = won.create_time
    FROM won JOIN locked_driver d ON d.driver_id = won.driver_id
    WHERE r.ride_id = won.ride_id
    RETURNING r.*
  ), offered_driver AS (
    UPDATE driver d SET status = 'offered', version = d.version + 1, ride_id = won.ride_id, offer_id = won.offer_id, update_time = won.create_time
    FROM won WHERE d.driver_id = won.driver_id
    RETURNING d.*
  )
  SELECT c.position, c.lease_epoch, to_jsonb(r) AS ride, to_jsonb(d) AS driver
  FROM offered_ride r
  JOIN offered_driver d ON d.offer_id = r.offer_id
  JOIN candidate c ON c.offer_id = r.offer_id
  ORDER BY r.ride_id`;

function toRow(proposal: OfferProposal, position: number) {
  return {
    position,
    proposal_id: proposal.proposalId,
    ride_id: proposal.rideId,
    ride_version: proposal.rideVersion,
    home_region: proposal.homeRegion,
    lease_epoch: proposal.leaseEpoch,
    driver_id: proposal.driverId,
    pickup_eta_seconds: proposal.pickupEtaSeconds,
    traceparent: proposal.traceparent,
  };
}

/** The event that the statement's effect is, as the domain would have told it. `before` knows no offer. */
function madeFrom(row: WonRow, page: readonly OfferProposal[]) {
  const ride = rideFromRow(datesFrom<RideRow>(row.ride, { ...rideFactColumns, ...rideStateColumns }));
  const driver = driverFromRow(datesFrom<DriverRow>(row.driver, driverColumns));
  const offer = set(ride.offer);
  const proposal = page[row.position];
  if (proposal === undefined) throw new Error(`The guard answered position ${row.position} of a page of ${page.length}`);
  const event: RideEvent = {
    rideId: ride.rideId,
    version: ride.version,
    driverId: driver.driverId,
    driverVersion: driver.version,
    occurredAtMs: ride.updateTimeMs,
    body: {
      type: "OfferSent",
      offerId: offerId(offer.offerId),
      proposalId: proposalId(proposal.proposalId),
      leaseEpoch: proposal.leaseEpoch,
      pickupEtaSeconds: offer.pickupEtaSeconds,
      expiresAtMs: offer.expiresAtMs,
      vehicle: offer.vehicle,
    },
  };
  return { change: { kind: "ride", before: null, event, ride, driver } as const, proposal };
}

function datesFrom<Row extends object>(json: JsonRow<Row>, columns: Readonly<Record<string, string>>): Row {
  const entries = Object.entries(json).map(([name, value]) => [name, columns[name] === "timestamptz" && typeof value === "string" ? new Date(value) : value]);
  return Object.fromEntries(entries) as Row;
}
