/**
 * The end of a run: what the city believes about its rides against what the platform says. Any difference that does
 * not go away within the time a read model may lag is a violation, and so is what the platform itself reports.
 */
import type { Ride } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import { Party, RideStatus } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import type { Identity } from "./identity.ts";
import { compareInFlightMax, comparePageSize, comparePagesMax, askAgainMs } from "./limits.ts";
import { inGroups } from "./in-groups.ts";
import { pause } from "./pause.ts";
import type { RideRecord } from "./ride-ledger.ts";
import type { World } from "./world.ts";

export type PlatformTally = { readonly completed: number; readonly canceled: number; readonly noDrivers: number; readonly open: number };

/** `riderPrefix` begins the subject of every rider of this run and of no other. `timeoutMs` is how long a difference may last. */
export type Settlement = { readonly marketId: string; readonly riderPrefix: string; readonly timeoutMs: number };

export async function settle(world: World, operator: Identity, { marketId, riderPrefix, timeoutMs }: Settlement): Promise<PlatformTally> {
  const ours = [...world.ledger.records()].filter((record) => record.riderId !== null);
  const theirs = await searchRides(world, operator, { marketId, riderPrefix, expected: ours.length });
  await inGroups(ours, compareInFlightMax, async (record) => {
    const found = theirs.get(record.rideId);
    const difference = differs(record, found);
    if (difference === null) return;
    const lasting = await differsStill(world, operator, { record, theirs, timeoutMs });
    if (lasting !== null) world.witness.report({ invariant: "I8", detail: lasting });
  });
  const known = new Set(ours.map(({ rideId }) => rideId));
  for (const ride of theirs.values()) {
    // A rider who gave up asking may have a ride that he was never told of: it is his all the same, and not a difference while he never knew.
    if (!known.has(ride.rideId) && isEnded(ride) && ride.status === RideStatus.COMPLETED)
      world.witness.report({ invariant: "I5", detail: `ride "${ride.rideId}" of rider "${ride.riderId}" was completed and its rider never knew` });
  }
  return platformTally([...theirs.values()]);
}

export async function checkInvariants(world: World, operator: Identity, seen: Set<string>): Promise<void> {
  const answer = await world.calls.run(operator, (options) => world.gateway.ops.listInvariantViolations({}, options));
  if (answer.kind !== "done") return;
  for (const { invariant, rideId, driverId, detail } of answer.value.violations) {
    const key = `${invariant} ${rideId} ${driverId}`;
    if (seen.has(key)) continue;
    seen.add(key);
    world.witness.report({ invariant, detail: `the platform reports: ${detail} (ride "${rideId}", driver "${driverId}")` });
  }
}

/** Pages from the newest ride on, until all that are expected were seen or the pages end. */
async function searchRides(
  world: World,
  operator: Identity,
  { marketId, riderPrefix, expected }: { readonly marketId: string; readonly riderPrefix: string; readonly expected: number },
): Promise<Map<string, Ride>> {
  const found = new Map<string, Ride>();
  let pageToken = "";
  for (let page = 0; page < comparePagesMax; page++) {
    const answer = await world.calls.run(operator, (options) => world.gateway.ops.searchRides({ marketId, pageSize: comparePageSize, pageToken }, options));
    if (answer.kind !== "done") {
      world.witness.report({ invariant: "I8", detail: `the platform's rides could not be searched: ${answer.reason}` });
      break;
    }
    const mine = answer.value.rides.filter(({ riderId }) => riderId.startsWith(riderPrefix));
    for (const ride of mine) found.set(ride.rideId, ride);
    pageToken = answer.value.nextPageToken;
    if (pageToken === "" || (mine.length === 0 && found.size >= expected)) break;
  }
  return found;
}

type Comparison = { readonly record: RideRecord; readonly theirs: Map<string, Ride>; readonly timeoutMs: number };

async function differsStill(world: World, operator: Identity, { record, theirs, timeoutMs }: Comparison): Promise<string | null> {
  const deadlineMs = world.clock.nowMs() + timeoutMs;
  for (;;) {
    const answer = await world.calls.run(operator, (options) => world.gateway.ops.getRide({ rideId: record.rideId }, options));
    const ride = answer.kind === "done" ? answer.value.ride : undefined;
    if (ride !== undefined) theirs.set(ride.rideId, ride);
    const difference = differs(record, ride);
    if (difference === null || world.clock.nowMs() > deadlineMs || !(await pause(askAgainMs, world.signal))) return difference;
  }
}

/** What is different, in words; null when nothing is. Exported for its test. */
export function differs(record: Pick<RideRecord, "rideId" | "latest" | "completedBy">, theirs: Ride | undefined): string | null {
  const { rideId, latest, completedBy } = record;
  if (latest === null) return null;
  if (theirs === undefined) return `ride "${rideId}" was acknowledged at version ${latest.version} and the platform does not know it`;
  const ours = describe(latest);
  if (theirs.version < latest.version) return `ride "${rideId}" was told as ${ours} and the platform says ${describe(theirs)}`;
  if (isEnded(latest) && describe(theirs) !== ours) return `ride "${rideId}" ended as ${ours} and the platform says ${describe(theirs)}`;
  if (completedBy !== null && (theirs.status !== RideStatus.COMPLETED || theirs.driverId !== completedBy)) {
    return `driver "${completedBy}" was acknowledged the end of ride "${rideId}" and the platform says ${describe(theirs)}`;
  }
  return null;
}

function describe(ride: Ride): string {
  const by = ride.status === RideStatus.CANCELED ? ` by ${Party[ride.canceledBy]}` : "";
  const driver = ride.status === RideStatus.COMPLETED ? ` by driver "${ride.driverId}"` : "";
  return `${RideStatus[ride.status]}${by}${driver} at version ${ride.version}`;
}

function isEnded({ status }: Ride): boolean {
  return status === RideStatus.COMPLETED || status === RideStatus.CANCELED || status === RideStatus.NO_DRIVERS;
}

function platformTally(rides: readonly Ride[]): PlatformTally {
  const having = (status: RideStatus): number => rides.filter((ride) => ride.status === status).length;
  return {
    completed: having(RideStatus.COMPLETED),
    canceled: having(RideStatus.CANCELED),
    noDrivers: having(RideStatus.NO_DRIVERS),
    open: rides.filter((ride) => !isEnded(ride)).length,
  };
}
