/**
 * A driver: opens a shift, follows his offers, answers them after a moment's thought, and drives the rides he gets.
 *
 * He believes his stream about what is his: when it says that he is free, or that the ride is another's, he lets go.
 */
import type { WatchOffersResponse } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { DriverStatus, type Driver } from "@ridegrid/contracts/gen/type/v1/driver_pb";
import type { Offer, Ride } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import { type Car, createCar } from "./car.ts";
import { driveRide } from "./drive-ride.ts";
import type { LatLng } from "./geography.ts";
import type { Identity } from "./identity.ts";
import { driverDeclineShare, driverIgnoreShare, driverThinkSeconds } from "./limits.ts";
import { childController, pause } from "./pause.ts";
import type { PositionReports, ReportHandle } from "./position-reports.ts";
import type { Random } from "./random.ts";
import { createShiftCheck, isDriving } from "./shift-check.ts";
import { wallMs, type World } from "./world.ts";

export type DriverSpec = { readonly identity: Identity; readonly random: Random; readonly start: LatLng; readonly seats: number; readonly plate: string };

export interface DriverAgent {
  /** False when the platform would not have him. */
  goOnline(): Promise<boolean>;
  goOffline(): Promise<void>;
}

type Job = { readonly rideId: string; readonly version: bigint; readonly controller: AbortController; readonly done: Promise<void> };

type Self = {
  readonly world: World;
  readonly identity: Identity;
  readonly random: Random;
  readonly car: Car;
  readonly shift: AbortController;
  readonly check: (message: WatchOffersResponse) => void;
  job: Job | null;
  /** The offer he has last seen, and whether it is over. */
  offer: { readonly id: string; over: boolean } | null;
  /** The ride that his stream last said he is on. */
  told: Ride | null;
  reports: ReportHandle | null;
};

export function createDriverAgent(world: World, spec: DriverSpec, positions: PositionReports): DriverAgent {
  const { identity, random } = spec;
  const { calls, gateway, tally } = world;
  const shift = childController(world.signal);
  const check = createShiftCheck(world.witness, identity.subject);
  const self: Self = {
    world,
    identity,
    random,
    car: createCar(world, spec.start),
    shift: shift.controller,
    check,
    job: null,
    offer: null,
    told: null,
    reports: null,
  };
  return {
    async goOnline() {
      const requestId = world.newRequestId();
      const vehicle = { seats: spec.seats, plate: spec.plate, model: "Simulated sedan" };
      const answer = await calls.run(identity, (options) =>
        gateway.driver.goOnline({ requestId, location: spec.start, vehicle, acceptReassignment: true }, options),
      );
      // A ride of an earlier city may still be his: his stream will tell.
      if (answer.kind !== "done" && !(answer.kind === "refused" && answer.reason === "DRIVER_ON_RIDE")) return false;
      tally.driversOnline++;
      self.reports = positions.add({ identity, place: self.car.place });
      self.reports.reportNow();
      const onMessage = (message: WatchOffersResponse, resumed: boolean): boolean => follow(self, message, resumed);
      void world.streams.watch({
        identity,
        signal: self.shift.signal,
        onMessage,
        open: (clients, cursor, options) => clients.driver.watchOffers({ cursor }, options),
      });
      return true;
    },
    async goOffline() {
      const requestId = world.newRequestId();
      const answer = await calls.run(identity, (options) => gateway.driver.goOffline({ requestId }, options));
      if (answer.kind === "done") tally.driversOnline--;
      self.reports?.remove();
      self.shift.abort();
      shift.dispose();
    },
  };
}

function follow(self: Self, message: WatchOffersResponse, resumed: boolean): boolean {
  const { reset, update } = message;
  self.check(message);
  switch (update.case) {
    case "offer":
      if (self.offer?.id !== update.value.offerId) void consider(self, update.value);
      break;
    case "offerWithdrawn":
      if (self.offer?.id === update.value.offerId) self.offer.over = true;
      break;
    case "ride":
      onRide(self, update.value, reset || resumed);
      break;
    case "driver":
      onDriver(self, update.value, reset || resumed);
      break;
  }
  return self.shift.signal.aborted;
}

async function consider(self: Self, { offerId, rideId }: Offer): Promise<void> {
  const { world, identity, random } = self;
  const { calls, gateway, ledger, tally } = world;
  tally.offers++;
  const seen = { id: offerId, over: false };
  self.offer = seen;
  const mood = random.next();
  const thinkMs = wallMs(world, random.between(driverThinkSeconds));
  if (mood < driverIgnoreShare) return void tally.ignored++;
  // The offer may come before the answer to the last ride's completion.
  await self.job?.done;
  if (!(await pause(thinkMs, self.shift.signal)) || seen.over) return;
  const requestId = world.newRequestId();
  if (mood < driverIgnoreShare + driverDeclineShare) {
    const declined = await calls.run(identity, (options) => gateway.driver.declineOffer({ requestId, offerId }, options));
    if (declined.kind !== "done") return;
    tally.declined++;
    return ledger.offerEnded(rideId, offerId);
  }
  const accepted = await calls.run(identity, (options) => gateway.driver.acceptOffer({ requestId, offerId }, options));
  if (accepted.kind === "refused") return ledger.offerEnded(rideId, offerId);
  // The answer may be lost for good and the ride be his all the same.
  if (accepted.kind === "gave_up" && self.told?.offerId === offerId) return take(self, self.told);
  if (accepted.kind !== "done" || accepted.value.ride === undefined) return;
  tally.accepted++;
  ledger.told(accepted.value.ride, "driver");
  if (!seen.over) take(self, accepted.value.ride);
}

function take(self: Self, ride: Ride): void {
  const { world, identity, random, car } = self;
  if (self.job?.rideId === ride.rideId) return;
  self.job?.controller.abort();
  const { controller, dispose } = childController(self.shift.signal);
  const wheel = { identity, random, car, reportNow: () => self.reports?.reportNow() };
  const job: Job = { rideId: ride.rideId, version: ride.version, controller, done: driveRide(world, wheel, ride, controller.signal).finally(end) };
  self.job = job;
  function end(): void {
    dispose();
    if (self.job === job) self.job = null;
    if (!world.ledger.isOurs(ride.rideId)) world.ledger.forget(ride.rideId);
  }
}

function onRide(self: Self, ride: Ride, caughtUp: boolean): void {
  const { job, offer, identity } = self;
  self.world.ledger.told(ride, "driver");
  self.told = isDriving(ride, identity.subject) ? ride : null;
  if (self.told !== null) {
    // His own accept brings the ride too; only what he did not start himself is taken up here.
    if (job === null && (caughtUp || ride.offerId !== offer?.id)) take(self, ride);
    return;
  }
  // The stream may still be telling of the time before he accepted.
  if (job?.rideId === ride.rideId && ride.version > job.version) job.controller.abort();
}

function onDriver(self: Self, driver: Driver, caughtUp: boolean): void {
  if (driver.ride !== undefined) return onRide(self, driver.ride, caughtUp);
  if (driver.status !== DriverStatus.AVAILABLE && driver.status !== DriverStatus.OFFLINE) return;
  if (self.offer !== null) self.offer.over = true;
  self.job?.controller.abort();
}
