/**
 * A driver: opens a shift, follows his offers, answers them after a moment's thought, and drives the rides he gets.
 *
 * He believes his stream about what is his: when it says that he is free, or that the ride is another's, he lets go.
 */
import type { WatchOffersResponse } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { DriverStatus, type Driver } from "@ridegrid/contracts/gen/type/v1/driver_pb";
import { RideStatus, type Offer, type Ride } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import { type Car, driveRide } from "./drive-ride.ts";
import type { LatLng } from "./geography.ts";
import type { Identity } from "./identity.ts";
import { driverDeclineShare, driverIgnoreShare, driverThinkSeconds } from "./limits.ts";
import { createLeg, type Leg, parkedAt, placeOn } from "./movement.ts";
import { childController, pause } from "./pause.ts";
import type { PositionReports } from "./position-reports.ts";
import type { Random } from "./random.ts";
import { wallMs, type World } from "./world.ts";
import { createVersionCheck } from "./witness.ts";

export type DriverSpec = { readonly identity: Identity; readonly random: Random; readonly start: LatLng; readonly seats: number; readonly plate: string };

export interface DriverAgent {
  /** False when the platform would not have him. */
  goOnline(): Promise<boolean>;
  goOffline(): Promise<void>;
}

type Job = { readonly rideId: string; readonly version: bigint; readonly controller: AbortController; readonly done: Promise<void> };

const drivenStatuses: ReadonlySet<RideStatus> = new Set([RideStatus.ASSIGNED, RideStatus.ARRIVED, RideStatus.IN_PROGRESS]);

export function createDriverAgent(world: World, spec: DriverSpec, positions: PositionReports): DriverAgent {
  const { identity, random } = spec;
  const { clock, tally, ledger, gateway, calls } = world;
  const shift = childController(world.signal);
  const checkVersion = createVersionCheck(world.witness, `the offers of driver "${identity.subject}"`, { repeats: true });
  let leg: Leg = parkedAt(spec.start, clock.nowMs());
  let job: Job | null = null;
  /** The offer he has last seen, and whether it is over. */
  let offer: { readonly id: string; over: boolean } | null = null;
  let reports: { readonly reportNow: () => void; readonly remove: () => void } | null = null;

  const car: Car = {
    identity,
    random,
    async driveTo(point, signal) {
      const startMs = clock.nowMs();
      leg = createLeg(placeOn(leg, startMs).location, point, { startMs, speedup: world.speedup });
      if (await pause(leg.endMs - startMs, signal)) return true;
      const nowMs = clock.nowMs();
      leg = parkedAt(placeOn(leg, nowMs).location, nowMs);
      return false;
    },
    reportNow: () => reports?.reportNow(),
  };

  function take(ride: Ride): void {
    if (job?.rideId === ride.rideId) return;
    job?.controller.abort();
    const { controller, dispose } = childController(shift.controller.signal);
    const mine: Job = { rideId: ride.rideId, version: ride.version, controller, done: driveRide(world, car, ride, controller.signal).finally(end) };
    job = mine;
    function end(): void {
      dispose();
      if (job === mine) job = null;
      if (!ledger.isOurs(ride.rideId)) ledger.forget(ride.rideId);
    }
  }

  function letGo(rideId: string | null): void {
    if (job !== null && (rideId === null || job.rideId === rideId)) job.controller.abort();
  }

  async function consider(made: Offer): Promise<void> {
    tally.offers++;
    const seen = { id: made.offerId, over: false };
    offer = seen;
    const mood = random.next();
    const thinkMs = wallMs(world, random.between(driverThinkSeconds));
    if (mood < driverIgnoreShare) return void tally.ignored++;
    // The offer may come before the answer to the last ride's completion.
    await job?.done;
    if (!(await pause(thinkMs, shift.controller.signal)) || seen.over) return;
    const requestId = world.newRequestId();
    const { offerId, rideId } = made;
    if (mood < driverIgnoreShare + driverDeclineShare) {
      const declined = await calls.run(identity, (options) => gateway.driver.declineOffer({ requestId, offerId }, options));
      if (declined.kind !== "done") return;
      tally.declined++;
      return ledger.offerEnded(rideId, offerId);
    }
    const accepted = await calls.run(identity, (options) => gateway.driver.acceptOffer({ requestId, offerId }, options));
    if (accepted.kind === "refused") return ledger.offerEnded(rideId, offerId);
    if (accepted.kind !== "done" || accepted.value.ride === undefined) return;
    tally.accepted++;
    ledger.told(accepted.value.ride, "driver");
    if (!seen.over) take(accepted.value.ride);
  }

  function follow({ cursor, reset, update }: WatchOffersResponse, resumed: boolean): boolean {
    const version = Number(cursor);
    // Documented as the driver's version; one that is no number is only passed back.
    if (cursor !== "" && Number.isSafeInteger(version)) checkVersion(version, reset);
    switch (update.case) {
      case "offer":
        if (offer?.id !== update.value.offerId) void consider(update.value);
        break;
      case "offerWithdrawn":
        if (offer?.id === update.value.offerId) offer.over = true;
        break;
      case "ride":
        onRide(update.value, reset || resumed);
        break;
      case "driver":
        onDriver(update.value, reset || resumed);
        break;
    }
    return shift.controller.signal.aborted;
  }

  function onRide(ride: Ride, caughtUp: boolean): void {
    ledger.told(ride, "driver");
    const mine = ride.driverId === identity.subject && drivenStatuses.has(ride.status);
    // The stream may still be telling of the time before he accepted.
    if (!mine) return job !== null && ride.version > job.version ? letGo(ride.rideId) : undefined;
    // His own accept brings the ride too; only what he did not start himself is taken up here.
    if (job === null && (caughtUp || ride.offerId !== offer?.id)) take(ride);
  }

  function onDriver(driver: Driver, caughtUp: boolean): void {
    if (driver.ride !== undefined) return onRide(driver.ride, caughtUp);
    if (driver.status === DriverStatus.AVAILABLE || driver.status === DriverStatus.OFFLINE) {
      if (offer !== null) offer.over = true;
      letGo(null);
    }
  }

  return {
    async goOnline() {
      const requestId = world.newRequestId();
      const vehicle = { seats: spec.seats, plate: spec.plate, model: "Simulated sedan" };
      const answer = await calls.run(identity, (options) => gateway.driver.goOnline({ requestId, location: spec.start, vehicle, acceptReassignment: true }, options));
      // A ride of an earlier city may still be his: his stream will tell.
      if (answer.kind !== "done" && !(answer.kind === "refused" && answer.reason === "DRIVER_ON_RIDE")) return false;
      tally.driversOnline++;
      reports = positions.add({ identity, place: () => placeOn(leg, clock.nowMs()) });
      reports.reportNow();
      void world.streams.watch({ identity, signal: shift.controller.signal, onMessage: follow, open: (clients, cursor, options) => clients.driver.watchOffers({ cursor }, options) });
      return true;
    },
    async goOffline() {
      const requestId = world.newRequestId();
      const answer = await calls.run(identity, (options) => gateway.driver.goOffline({ requestId }, options));
      if (answer.kind === "done") tally.driversOnline--;
      reports?.remove();
      shift.controller.abort();
    },
  };
}
