/**
 * The rules without Postgres: rides, drivers and offers in memory, changed by the domain's `decide` alone, one command
 * after the other. The differential test holds the SQL to it.
 */
import {
  decideGoOffline,
  decideGoOnline,
  decideRide,
  type Driver,
  newDriver,
  type DriverId,
  offerId,
  type OfferStatus,
  type Ride,
  type RideCommand,
  type RideEvent,
  type RideId,
  type Shift,
} from "@ridegrid/domain";
import type { Regions } from "@ridegrid/spatial";
import { offerAfter } from "./change.ts";
import { marketRules } from "./market-rules.ts";
import type { Proposals } from "./proposal.ts";

export type Verdict = { readonly kind: "event"; readonly event: RideEvent } | { readonly kind: "refused"; readonly reason: string };

export type Reference = {
  readonly rides: Map<string, Ride>;
  readonly drivers: Map<string, Driver>;
  readonly offers: Map<string, OfferStatus>;
  goOnline(driverId: DriverId, shift: Shift, nowMs: number): void;
  goOffline(driverId: DriverId, nowMs: number): void;
  command(rideId: RideId, command: RideCommand, nowMs: number): Verdict;
  /** A page as the consumer means it: its releases, then its offers by (driver id, position). */
  page(
    page: Proposals,
    facts: { readonly epoch: number; readonly offerIds: readonly string[]; readonly nowMsOf: (rideId: string) => number },
  ): readonly Verdict[];
  /** All timers due at `dueMs`, by ride id. */
  sweep(dueMs: number, nowMsOf: (rideId: string) => number): readonly Verdict[];
};

export function createReference(regions: Regions): Reference {
  const rides = new Map<string, Ride>();
  const drivers = new Map<string, Driver>();
  const offers = new Map<string, OfferStatus>();

  function command(rideId: RideId, asked: RideCommand, nowMs: number): Verdict {
    const ride = rides.get(rideId) ?? null;
    const concerned = ride?.offer?.driverId ?? (asked.type === "SendOffer" ? asked.driverId : undefined);
    const driver = concerned === undefined ? null : (drivers.get(concerned) ?? null);
    const place = ride ?? (asked.type === "RequestRide" ? asked.quote : null);
    const decision = decideRide(ride, driver, asked, { nowMs, ...marketRules(regions, place) });
    if (decision.kind === "refused") return { kind: "refused", reason: decision.reason };
    rides.set(rideId, decision.ride);
    if (decision.driver !== null) drivers.set(decision.driver.driverId, decision.driver);
    const offer = offerAfter(ride, decision.event);
    if (offer !== null) offers.set(offer.offerId, offer.status);
    return { kind: "event", event: decision.event };
  }

  return {
    rides,
    drivers,
    offers,
    command,
    goOnline(driverId, shift, nowMs) {
      const decision = decideGoOnline(drivers.get(driverId) ?? newDriver(driverId), shift, { nowMs });
      if (decision.kind === "accepted") drivers.set(driverId, decision.driver);
    },
    goOffline(driverId, nowMs) {
      const decision = decideGoOffline(drivers.get(driverId) ?? newDriver(driverId), { nowMs });
      if (decision.kind === "accepted") drivers.set(driverId, decision.driver);
    },
    page(page, { epoch, offerIds, nowMsOf }) {
      const released = page.releases.map(({ rideId, driverId, rideVersion, leaseEpoch }) =>
        command(rideId, { type: "ReleaseSilentDriver", driverId, rideVersion, leaseEpoch, currentEpoch: epoch }, nowMsOf(rideId)),
      );
      const inOrder = page.offers
        .map((proposal, position) => ({ proposal, position }))
        .toSorted((a, b) => compare(a.proposal.driverId, b.proposal.driverId) || a.position - b.position);
      const offered = inOrder.map(({ proposal, position }) => {
        const { proposalId, driverId, rideVersion, leaseEpoch, pickupEtaSeconds } = proposal;
        const facts = { proposalId, driverId, rideVersion, leaseEpoch, pickupEtaSeconds, currentEpoch: epoch, offerId: offerId(offerIds[position] ?? "") };
        return command(proposal.rideId, { type: "SendOffer", ...facts }, nowMsOf(proposal.rideId));
      });
      return [...released, ...offered];
    },
    sweep(dueMs, nowMsOf) {
      const due = [...rides.values()].filter(({ timer }) => timer !== null && timer.atMs <= dueMs).toSorted((a, b) => compare(a.rideId, b.rideId));
      return due.map((ride) => command(ride.rideId, { type: "FireTimer" }, nowMsOf(ride.rideId)));
    },
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
