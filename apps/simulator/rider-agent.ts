/**
 * A rider: asks for a price, requests the ride, follows it to its end, tells the driver the PIN, and now and then
 * changes his mind or runs out of patience. Waits are counted from the request to the first assignment.
 */
import { CancelReason, Party, RideStatus, type Ride } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import type { WatchRideResponse } from "@ridegrid/contracts/gen/rider/v1/rider_service_pb";
import type { Request } from "./demand.ts";
import type { Identity } from "./identity.ts";
import { quoteTriesMax, riderCancelSeconds, riderCancelShare, riderPatienceSeconds } from "./limits.ts";
import { childController, pause } from "./pause.ts";
import type { Random } from "./random.ts";
import { count, keepWait } from "./tally.ts";
import { createVersionCheck } from "./witness.ts";
import { wallMs, type World } from "./world.ts";

export type Rider = { readonly identity: Identity; readonly random: Random; readonly request: Request };

/** Resolves when the ride has ended, when no ride was to be had, or when the city stops. */
export async function takeRide(world: World, rider: Rider): Promise<void> {
  const requestedAtMs = world.clock.nowMs();
  world.tally.riders++;
  const ride = await requestRide(world, rider);
  if (ride === null) {
    if (!world.signal.aborted) world.tally.turnedAway++;
    return;
  }
  world.tally.requested++;
  world.ledger.opened(ride);
  const trip = childController(world.signal);
  const assigned = childController(trip.controller.signal);
  if (rider.random.chance(riderCancelShare))
    void cancelAfter(world, rider, ride, rider.random.between(riderCancelSeconds), { reason: CancelReason.RIDER_CHANGED_MIND, signal: trip.controller.signal });
  const patience = rider.random.between(riderPatienceSeconds);
  void cancelAfter(world, rider, ride, patience, { reason: CancelReason.WAIT_TOO_LONG, signal: assigned.controller.signal });
  await followRide(world, rider, ride, {
    signal: trip.controller.signal,
    onAssigned() {
      if (assigned.controller.signal.aborted) return;
      assigned.controller.abort();
      keepWait(world.tally, ((world.clock.nowMs() - requestedAtMs) * world.speedup) / 1_000);
    },
  });
  trip.controller.abort();
  trip.dispose();
}

/** Quotes and requests as an app does: a quote that went stale is asked for anew, a ride that is open already is taken up. */
async function requestRide(world: World, { identity, request }: Rider): Promise<Ride | null> {
  const { calls, gateway } = world;
  const { pickup, dropoff, seats } = request;
  for (let tries = 0; tries < quoteTriesMax; tries++) {
    const quoted = await calls.run(identity, (options) => gateway.rider.quoteFare({ pickup, dropoff, seats }, options));
    if (quoted.kind === "refused") count(world.tally.failures, `REFUSED_${quoted.reason}`);
    if (quoted.kind !== "done" || quoted.value.quote === undefined) return null;
    const { quoteId } = quoted.value.quote;
    const requestId = world.newRequestId();
    const answer = await calls.run(identity, (options) => gateway.rider.requestRide({ requestId, quoteId }, options));
    if (answer.kind === "done") return answer.value.ride ?? null;
    if (answer.kind === "gave_up") return null;
    count(world.tally.failures, `REFUSED_${answer.reason}`);
    if (answer.reason === "RIDE_ALREADY_OPEN") return openRide(world, identity);
    if (answer.reason !== "QUOTE_EXPIRED" && answer.reason !== "QUOTE_NOT_FOUND" && answer.reason !== "QUOTE_USED") return null;
  }
  return null;
}

async function openRide({ calls, gateway }: World, identity: Identity): Promise<Ride | null> {
  const listed = await calls.run(identity, (options) => gateway.rider.listRides({ openOnly: true, pageSize: 1 }, options));
  return listed.kind === "done" ? (listed.value.rides[0] ?? null) : null;
}

async function followRide(
  world: World,
  { identity }: Rider,
  { rideId }: Ride,
  { signal, onAssigned }: { readonly signal: AbortSignal; readonly onAssigned: () => void },
): Promise<void> {
  const { ledger, gateway, calls } = world;
  const checkVersion = createVersionCheck(world.witness, `ride "${rideId}" as its rider follows it`, { repeats: false });
  let askedPin = false;

  async function askPin(): Promise<void> {
    const read = await calls.run(identity, (options) => gateway.rider.getRide({ rideId }, options));
    if (read.kind === "done" && read.value.ride !== undefined) ledger.told(read.value.ride, "rider");
  }

  function onMessage({ reset, update }: WatchRideResponse, resumed: boolean): boolean {
    if (update.case !== "ride") return false;
    const ride = update.value;
    // The first message of a connection that had no cursor yet is the ride as it is.
    checkVersion(Number(ride.version), reset || (resumed && ride.version === 1n));
    ledger.told(ride, "rider");
    if (isAssigned(ride)) {
      onAssigned();
      // The stream shows the PIN as every read of the rider does; one that does not is asked once.
      if (ride.pin === "" && !askedPin) void askPin();
      askedPin = true;
    }
    return noteEnd(world, ride);
  }

  await world.streams.watch({ identity, signal, onMessage, open: (clients, cursor, options) => clients.rider.watchRide({ rideId, cursor }, options) });
}

function isAssigned({ status }: Ride): boolean {
  return status === RideStatus.ASSIGNED || status === RideStatus.ARRIVED || status === RideStatus.IN_PROGRESS || status === RideStatus.COMPLETED;
}

/** Counts a ride that has ended; false while it has not. */
function noteEnd({ tally, witness }: World, ride: Ride): boolean {
  switch (ride.status) {
    case RideStatus.COMPLETED:
      tally.completed++;
      return true;
    case RideStatus.NO_DRIVERS:
      tally.noDrivers++;
      return true;
    case RideStatus.CANCELED: {
      const by = partyName(ride.canceledBy);
      if (by === null) witness.report({ invariant: "I8", detail: `ride "${ride.rideId}" was canceled by nobody` });
      else tally.canceled[by]++;
      return true;
    }
    default:
      return false;
  }
}

function partyName(party: Party): "rider" | "driver" | "operator" | "system" | null {
  switch (party) {
    case Party.RIDER:
      return "rider";
    case Party.DRIVER:
      return "driver";
    case Party.OPERATOR:
      return "operator";
    case Party.SYSTEM:
      return "system";
    default:
      return null;
  }
}

async function cancelAfter(
  world: World,
  { identity }: Rider,
  { rideId }: Ride,
  citySeconds: number,
  { reason, signal }: { readonly reason: CancelReason; readonly signal: AbortSignal },
): Promise<void> {
  if (!(await pause(wallMs(world, citySeconds), signal))) return;
  const requestId = world.newRequestId();
  // Refused when he is on board already: then he rides on.
  const answer = await world.calls.run(identity, (options) => world.gateway.rider.cancelRide({ requestId, rideId, reason }, options));
  if (answer.kind === "done" && answer.value.ride !== undefined) world.ledger.told(answer.value.ride, "rider");
}
