/** What an operator changes, passed on to the coordinator, which audits it. */
import type { ServiceImpl } from "@connectrpc/connect";
import type { OpsService } from "@ridegrid/contracts";
import type { ServiceDirectory } from "@ridegrid/rpc";
import type { Regions } from "@ridegrid/spatial";
import { ask } from "../dependency.ts";
import { withoutPin } from "../ride-pins.ts";
import { regionNow } from "./list-regions.ts";

type RideCommandName = "cancelRide" | "completeRide" | "waiveFee" | "resetPinTries" | "listAuditEntries";
type RegionCommandName = "drainRegion" | "undrainRegion" | "takeOverRegion";
export type OperatorCommands = Pick<ServiceImpl<typeof OpsService>, RideCommandName | RegionCommandName>;
export type OperatorCommandsDeps = { readonly directory: ServiceDirectory; readonly regions: Regions };

export function operatorCommands(deps: OperatorCommandsDeps): OperatorCommands {
  return { ...rideCommands(deps), ...regionCommands(deps) };
}

function rideCommands({ directory }: OperatorCommandsDeps): Pick<OperatorCommands, RideCommandName> {
  const coordinator = directory.coordinator;
  return {
    async cancelRide(command, context) {
      const { ride } = await ask(context, (options) => coordinator().operatorCancelRide({ command }, options));
      return { ride: withoutPin(ride) };
    },
    async completeRide(command, context) {
      const { ride } = await ask(context, (options) => coordinator().operatorCompleteRide({ command }, options));
      return { ride: withoutPin(ride) };
    },
    async waiveFee(command, context) {
      const { result } = await ask(context, (options) => coordinator().waiveFee({ command }, options));
      return result === undefined ? {} : { ...result, ride: withoutPin(result.ride) };
    },
    async resetPinTries(command, context) {
      const { ride } = await ask(context, (options) => coordinator().resetPinTries({ command }, options));
      return { ride: withoutPin(ride) };
    },
    async listAuditEntries(command, context) {
      const { page } = await ask(context, (options) => coordinator().listAuditEntries({ command }, options));
      return page ?? {};
    },
  };
}

function regionCommands({ directory, regions }: OperatorCommandsDeps): Pick<OperatorCommands, RegionCommandName> {
  const coordinator = directory.coordinator;
  return {
    async drainRegion(command, context) {
      await ask(context, (options) => coordinator().drainRegion({ command }, options));
      return { region: await regionNow({ directory, regions }, command.region, context) };
    },
    async undrainRegion(command, context) {
      await ask(context, (options) => coordinator().undrainRegion({ command }, options));
      return { region: await regionNow({ directory, regions }, command.region, context) };
    },
    async takeOverRegion(command, context) {
      const { openRides } = await ask(context, (options) => coordinator().takeOverRegion({ command }, options));
      return { region: await regionNow({ directory, regions }, regions.region(command.region).neighbor, context), openRides };
    },
  };
}
