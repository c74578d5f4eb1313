/** What a driver asks of the coordinator, passed on as it came. A ride never shows its PIN to its driver. */
import type { ServiceImpl } from "@connectrpc/connect";
import type { DriverService } from "@ridegrid/contracts";
import type { Driver } from "@ridegrid/contracts/gen/type/v1/driver_pb";
import { callerOf, type ServiceDirectory } from "@ridegrid/rpc";
import { ask } from "../dependency.ts";
import { withoutPin } from "../ride-pins.ts";
import type { ShiftMoves } from "../shift-moves.ts";

type CommandName = "goOnline" | "goOffline" | "getDriver" | "acceptOffer" | "declineOffer" | "arriveAtPickup" | "startRide" | "completeRide" | "cancelRide";
export type DriverCommands = Pick<ServiceImpl<typeof DriverService>, CommandName>;

export function driverCommands({ directory, moves }: { readonly directory: ServiceDirectory; readonly moves: ShiftMoves }): DriverCommands {
  return { ...shiftCommands(directory, moves), ...rideCommands(directory) };
}

function shiftCommands(directory: ServiceDirectory, moves: ShiftMoves): Pick<DriverCommands, "goOnline" | "goOffline" | "getDriver"> {
  const coordinator = directory.coordinator;
  return {
    async goOnline(command, context) {
      const { driver } = await ask(context, (options) => coordinator().goOnline({ command }, options));
      if (driver !== undefined) moves.began(driver.driverId, driver.homeRegion);
      return { driver: shown(driver) };
    },
    async goOffline(command, context) {
      const { driver } = await ask(context, (options) => coordinator().goOffline({ command }, options));
      return { driver: shown(driver) };
    },
    async getDriver(_, context) {
      const { driver } = await ask(context, (options) => coordinator().getDriver({ driverId: callerOf(context).principal }, options));
      return { driver: shown(driver) };
    },
  };
}

function rideCommands(directory: ServiceDirectory): Omit<DriverCommands, "goOnline" | "goOffline" | "getDriver"> {
  const coordinator = directory.coordinator;
  return {
    async acceptOffer(command, context) {
      const { ride } = await ask(context, (options) => coordinator().acceptOffer({ command }, options));
      return { ride: withoutPin(ride) };
    },
    async declineOffer(command, context) {
      await ask(context, (options) => coordinator().declineOffer({ command }, options));
      return {};
    },
    async arriveAtPickup(command, context) {
      const { ride } = await ask(context, (options) => coordinator().arriveAtPickup({ command }, options));
      return { ride: withoutPin(ride) };
    },
    async startRide(command, context) {
      const { ride } = await ask(context, (options) => coordinator().startRide({ command }, options));
      return { ride: withoutPin(ride) };
    },
    async completeRide(command, context) {
      const { ride } = await ask(context, (options) => coordinator().completeRide({ command }, options));
      return { ride: withoutPin(ride) };
    },
    async cancelRide(command, context) {
      const { ride } = await ask(context, (options) => coordinator().releaseRide({ command }, options));
      return { ride: withoutPin(ride) };
    },
  };
}

function shown(driver: Driver | undefined): Driver | undefined {
  return driver?.ride === undefined ? driver : { ...driver, ride: withoutPin(driver.ride) };
}
