/**
 * What riders and drivers of this city know about its rides, put side by side: a version of a ride is the same
 * whoever is told of it, and what was refused or declined is never assigned.
 *
 * The PIN goes from rider to driver here, as people would say it at the pickup.
 */
import { RideStatus, type Ride } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import type { Witness } from "./witness.ts";

export type RideRecord = {
  readonly rideId: string;
  /** Null while only a driver knows of it: it may be a stranger's. */
  riderId: string | null;
  /** The newest version anyone was told of. */
  latest: Ride | null;
  /** The driver's completion was acknowledged. */
  completedBy: string | null;
  pin: string | null;
  readonly versions: Map<bigint, { readonly status: RideStatus; readonly driverId: string }>;
  readonly deadOffers: Set<string>;
  readonly pinWaiters: Set<(pin: string) => void>;
};

export interface RideLedger {
  /** A rider's own ride, from now on a ride of this city. */
  opened(ride: Ride): void;
  /** Somebody was told of this version. */
  told(ride: Ride, by: "rider" | "driver"): void;
  /** The offer was declined, or its acceptance refused: it must never become an assignment. */
  offerEnded(rideId: string, offerId: string): void;
  completed(rideId: string, driverId: string): void;
  isOurs(rideId: string): boolean;
  /** Null when the rider did not tell it in time. */
  pin(rideId: string, timeoutMs: number, signal: AbortSignal): Promise<string | null>;
  forget(rideId: string): void;
  records(): IterableIterator<RideRecord>;
}

/** Beyond `ridesMax` rides the one known for longest is forgotten. */
export function createRideLedger(witness: Witness, { ridesMax }: { readonly ridesMax: number }): RideLedger {
  const records = new Map<string, RideRecord>();
  const record = (rideId: string): RideRecord => {
    const known = records.get(rideId);
    if (known !== undefined) return known;
    const fresh: RideRecord = {
      rideId,
      riderId: null,
      latest: null,
      completedBy: null,
      pin: null,
      versions: new Map(),
      deadOffers: new Set(),
      pinWaiters: new Set(),
    };
    records.set(rideId, fresh);
    if (records.size > ridesMax) forgetOldest(records);
    return fresh;
  };
  return {
    opened(ride) {
      const entry = record(ride.rideId);
      entry.riderId = ride.riderId;
      note(entry, ride, witness);
    },
    told(ride, by) {
      const entry = record(ride.rideId);
      note(entry, ride, witness);
      if (by === "driver") {
        if (ride.pin !== "")
          witness.report({ invariant: "I13", detail: `driver "${ride.driverId}" was told the PIN of ride "${ride.rideId}" by the platform` });
        return;
      }
      if (ride.pin === "") return;
      entry.pin = ride.pin;
      for (const tell of entry.pinWaiters) tell(ride.pin);
      entry.pinWaiters.clear();
    },
    offerEnded: (rideId, offerId) => void record(rideId).deadOffers.add(offerId),
    completed(rideId, driverId) {
      record(rideId).completedBy = driverId;
    },
    isOurs: (rideId) => (records.get(rideId)?.riderId ?? null) !== null,
    pin: (rideId, timeoutMs, signal) => waitForPin(record(rideId), timeoutMs, signal),
    forget: (rideId) => void records.delete(rideId),
    records: () => records.values(),
  };
}

function forgetOldest(records: Map<string, RideRecord>): void {
  // A Map keeps the order in which its keys came.
  const [oldest] = records.keys();
  if (oldest !== undefined) records.delete(oldest);
}

/** States in which a ride has one driver, the same for everybody. */
const driven: ReadonlySet<RideStatus> = new Set([RideStatus.ASSIGNED, RideStatus.ARRIVED, RideStatus.IN_PROGRESS, RideStatus.COMPLETED]);

function note(entry: RideRecord, ride: Ride, witness: Witness): void {
  const known = entry.versions.get(ride.version);
  if (known === undefined) entry.versions.set(ride.version, { status: ride.status, driverId: ride.driverId });
  else if (known.status !== ride.status || (driven.has(ride.status) && known.driverId !== ride.driverId)) {
    const one = `${RideStatus[known.status]} with driver "${known.driverId}"`;
    const other = `${RideStatus[ride.status]} with driver "${ride.driverId}"`;
    witness.report({ invariant: "I1", detail: `version ${ride.version} of ride "${ride.rideId}" was told as ${one} and as ${other}` });
  }
  if (entry.latest === null || ride.version > entry.latest.version) entry.latest = ride;
  if (ride.status === RideStatus.ASSIGNED && entry.deadOffers.has(ride.offerId)) {
    entry.deadOffers.delete(ride.offerId);
    witness.report({ invariant: "I3", detail: `offer "${ride.offerId}" of ride "${ride.rideId}" was accepted after its refusal` });
  }
}

function waitForPin(entry: RideRecord, timeoutMs: number, signal: AbortSignal): Promise<string | null> {
  if (entry.pin !== null) return Promise.resolve(entry.pin);
  return new Promise((resolve) => {
    const end = (pin: string | null): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      entry.pinWaiters.delete(end);
      resolve(pin);
    };
    const stop = (): void => end(null);
    const timer = setTimeout(stop, timeoutMs);
    signal.addEventListener("abort", stop, { once: true });
    entry.pinWaiters.add(end);
  });
}
