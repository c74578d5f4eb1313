/**
 * What a driver does with a ride that is his: drive to the pickup, say so, take the rider's PIN, drive to the dropoff.
 *
 * It ends early when the ride is no longer his, which his stream or a refusal tells.
 */
import { CancelReason, RideStatus, type Ride } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import type { Answer } from "./calls.ts";
import type { Car } from "./car.ts";
import type { LatLng } from "./geography.ts";
import type { Identity } from "./identity.ts";
import { arrivalTriesMax, boardingSeconds, noShowWaitMs, pinPatienceMs, positionIntervalMs } from "./limits.ts";
import { pause } from "./pause.ts";
import type { Random } from "./random.ts";
import { wallMs, type World } from "./world.ts";

export type AtTheWheel = {
  readonly identity: Identity;
  readonly random: Random;
  readonly car: Car;
  readonly reportNow: () => void;
};

/** `over` aborts when the ride is no longer this driver's. */
export async function driveRide(world: World, wheel: AtTheWheel, ride: Ride, over: AbortSignal): Promise<void> {
  const { pickup, dropoff } = ride;
  if (pickup === undefined || dropoff === undefined) {
    world.witness.report({ invariant: "I8", detail: `ride "${ride.rideId}" came without its pickup or dropoff` });
    return;
  }
  if (ride.status === RideStatus.ASSIGNED && !(await fetchRider(world, wheel, ride, pickup, over))) return;
  if (ride.status !== RideStatus.IN_PROGRESS && !(await board(world, wheel, ride, over))) return;
  if (!(await wheel.car.driveTo(dropoff, over))) return;
  wheel.reportNow();
  const requestId = world.newRequestId();
  const answer = await world.calls.run(wheel.identity, (options) => world.gateway.driver.completeRide({ requestId, rideId: ride.rideId }, options));
  if (told(world, answer)) world.ledger.completed(ride.rideId, wheel.identity.subject);
}

async function fetchRider(world: World, wheel: AtTheWheel, { rideId }: Ride, pickup: LatLng, over: AbortSignal): Promise<boolean> {
  if (!(await wheel.car.driveTo(pickup, over))) return false;
  for (let tries = 0; tries < arrivalTriesMax; tries++) {
    wheel.reportNow();
    const requestId = world.newRequestId();
    const answer = await world.calls.run(wheel.identity, (options) => world.gateway.driver.arriveAtPickup({ requestId, rideId, location: pickup }, options));
    if (answer.kind !== "refused" || answer.reason !== "TOO_FAR") return told(world, answer);
    if (!(await pause(positionIntervalMs, over))) return false;
  }
  return giveBack(world, wheel, rideId, CancelReason.OTHER);
}

async function board(world: World, wheel: AtTheWheel, { rideId }: Ride, over: AbortSignal): Promise<boolean> {
  const pin = await world.ledger.pin(rideId, pinPatienceMs, over);
  if (over.aborted) return false;
  if (pin === null) return leaveWithout(world, wheel, rideId, over);
  if (!(await pause(wallMs(world, wheel.random.between(boardingSeconds)), over))) return false;
  const requestId = world.newRequestId();
  const answer = await world.calls.run(wheel.identity, (options) => world.gateway.driver.startRide({ requestId, rideId, pin }, options));
  if (answer.kind === "refused" && (answer.reason === "WRONG_PIN" || answer.reason === "PIN_LOCKED")) {
    world.witness.report({ invariant: "I13", detail: `the PIN that the rider of ride "${rideId}" was told is refused: ${answer.message}` });
    return giveBack(world, wheel, rideId, CancelReason.OTHER);
  }
  return told(world, answer);
}

/** A rider of this city always knows the PIN; a stranger may not come: after the waiting time that is a no-show. */
async function leaveWithout(world: World, wheel: AtTheWheel, rideId: string, over: AbortSignal): Promise<false> {
  if (world.ledger.isOurs(rideId)) {
    world.witness.report({ invariant: "I13", detail: `no PIN reached the rider of ride "${rideId}" within ${pinPatienceMs} ms of the driver's arrival` });
    return giveBack(world, wheel, rideId, CancelReason.OTHER);
  }
  if (!(await pause(noShowWaitMs - pinPatienceMs, over))) return false;
  return giveBack(world, wheel, rideId, CancelReason.NO_SHOW);
}

async function giveBack(world: World, wheel: AtTheWheel, rideId: string, reason: CancelReason): Promise<false> {
  const requestId = world.newRequestId();
  told(world, await world.calls.run(wheel.identity, (options) => world.gateway.driver.cancelRide({ requestId, rideId, reason }, options)));
  return false;
}

/** Notes what the platform answered. False when it refused: the ride went another way. */
function told(world: World, answer: Answer<{ readonly ride?: Ride | undefined }>): boolean {
  if (answer.kind === "done" && answer.value.ride !== undefined) world.ledger.told(answer.value.ride, "driver");
  return answer.kind === "done";
}
