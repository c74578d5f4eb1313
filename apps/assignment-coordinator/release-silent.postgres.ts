/**
 * Takes rides from silent drivers: a page of release proposals, decided one by one, written together.
 *
 * A page locks all its rides, then all its drivers, each by id, those of its offers included: no other order can meet
 * this one head-on.
 */
import { decideRide, type Driver, type Ride } from "@ridegrid/domain";
import type { RideChange } from "./change.ts";
import { driverFromRow, type DriverRow } from "./driver-row.ts";
import { driverColumnList, nowOf, query, readClock, rideColumnList } from "./load-ride.postgres.ts";
import { marketRules } from "./market-rules.ts";
import { readLeaseEpochs } from "./matching-lease.postgres.ts";
import type { ProposalDeps, Proposals, ReleaseProposal } from "./proposal.ts";
import { rideFromRow, type RideRow } from "./ride-row.ts";
import type { Tx } from "./tx.ts";
import { type CausedChange, writeChanges } from "./write-changes.postgres.ts";

/** Answers how many were released; the others came too late. Call before the page's offers are made. */
export async function releaseSilentDrivers(tx: Tx, page: Proposals, deps: ProposalDeps, nextId: () => string): Promise<number> {
  if (page.releases.length === 0) return 0;
  const loaded = await lockPage(tx, page, deps.matchingConsumer);
  const changes: CausedChange[] = [];
  for (const release of page.releases) {
    const change = decideRelease(release, loaded, deps);
    if (change === null) continue;
    loaded.rides.set(change.ride.rideId, change.ride);
    changes.push({ change, cause: { correlationId: release.proposalId, causationId: release.causationId, traceparent: release.traceparent } });
  }
  if (changes.length > 0) await writeChanges(tx, changes, nextId);
  return changes.length;
}

type Loaded = {
  readonly rides: Map<string, Ride>;
  readonly drivers: ReadonlyMap<string, Driver>;
  readonly epochs: ReadonlyMap<string, number>;
  readonly nowMs: number;
};

const ridesSql = `
  SELECT ${rideColumnList} FROM ride WHERE ride_id IN (SELECT jsonb_array_elements_text($1::text::jsonb)::uuid) ORDER BY ride_id FOR UPDATE`;
const driversSql = `
  SELECT ${driverColumnList} FROM driver WHERE driver_id IN (
    SELECT jsonb_array_elements_text($2::text::jsonb)
    UNION SELECT driver_id FROM ride WHERE offer_id IS NOT NULL AND ride_id IN (SELECT jsonb_array_elements_text($1::text::jsonb)::uuid)
  ) ORDER BY driver_id FOR UPDATE`;

async function lockPage(tx: Tx, { offers, releases }: Proposals, consumer: string): Promise<Loaded> {
  const all = [...offers, ...releases];
  const rideIds = JSON.stringify(all.map(({ rideId }) => rideId));
  const driverIds = JSON.stringify(all.map(({ driverId }) => driverId));
  const [rides, drivers, epochs, clocks] = await Promise.all([
    query<RideRow>(tx, ridesSql, [rideIds]),
    query<DriverRow>(tx, driversSql, [rideIds, driverIds]),
    readLeaseEpochs(tx, consumer),
    readClock(tx),
  ]);
  return {
    rides: new Map(rides.map((row) => [row.ride_id, rideFromRow(row)])),
    drivers: new Map(drivers.map((row) => [row.driver_id, driverFromRow(row)])),
    epochs,
    nowMs: nowOf(clocks),
  };
}

function decideRelease(release: ReleaseProposal, { rides, drivers, epochs, nowMs }: Loaded, { regions }: ProposalDeps): RideChange | null {
  const ride = rides.get(release.rideId);
  // A ride that was taken over is another lease's, whose epoch may happen to be the same.
  if (ride === undefined || ride.homeRegion !== release.homeRegion) return null;
  const driver = ride.offer === null ? null : (drivers.get(ride.offer.driverId) ?? null);
  const { driverId, rideVersion, leaseEpoch } = release;
  const currentEpoch = epochs.get(`${ride.homeRegion}/${ride.partition}`) ?? 0;
  const decision = decideRide(
    ride,
    driver,
    { type: "ReleaseSilentDriver", driverId, rideVersion, leaseEpoch, currentEpoch },
    { nowMs, ...marketRules(regions, ride) },
  );
  if (decision.kind === "refused") return null;
  return { kind: "ride", before: ride, event: decision.event, ride: decision.ride, driver: decision.driver };
}
