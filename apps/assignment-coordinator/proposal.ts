/** What matching proposes, decoded, and what it is judged by. */
import type { DispatchPolicy, DriverId, IdSource, ProposalId, RideId } from "@ridegrid/domain";
import type { Regions } from "@ridegrid/spatial";

export type OfferProposal = {
  readonly proposalId: ProposalId;
  readonly rideId: RideId;
  readonly rideVersion: number;
  /** Of the lease that it was made under: only with it does the epoch name a lease. */
  readonly homeRegion: string;
  readonly leaseEpoch: number;
  readonly driverId: DriverId;
  readonly pickupEtaSeconds: number;
  /** The event id of the record that carried it. */
  readonly causationId: string;
  readonly traceparent: string;
};

export type ReleaseProposal = Omit<OfferProposal, "pickupEtaSeconds">;
export type Proposals = { readonly offers: readonly OfferProposal[]; readonly releases: readonly ReleaseProposal[] };

export type GuardDeps = {
  /** The consumer name under which matching workers hold their leases. */
  readonly matchingConsumer: string;
  readonly policyOfMarket: (marketId: string) => DispatchPolicy;
  readonly marketIds: readonly string[];
};

export type ProposalDeps = GuardDeps & { readonly ids: IdSource; readonly regions: Regions };

export type Applied = { readonly offers: number; readonly releases: number; readonly refused: number };
