/** What a rider asks of the coordinator, passed on as it came; the ride that comes back gets its PIN. */
import type { ServiceImpl } from "@connectrpc/connect";
import type { RiderService } from "@ridegrid/contracts";
import type { ServiceDirectory } from "@ridegrid/rpc";
import { ask } from "../dependency.ts";
import { withPin } from "../ride-pins.ts";

export type RiderCommands = Pick<ServiceImpl<typeof RiderService>, "quoteFare" | "requestRide" | "cancelRide" | "listRides" | "quoteCancellation">;

export function riderCommands({ directory, pinSecret }: { readonly directory: ServiceDirectory; readonly pinSecret: string }): RiderCommands {
  const coordinator = directory.coordinator;
  return {
    quoteFare: (command, context) =>
      ask(context, (options) => coordinator().quoteFare({ command }, options)).then(({ quote }) => ({ ...(quote && { quote }) })),
    async requestRide(command, context) {
      const { ride } = await ask(context, (options) => coordinator().requestRide({ command }, options));
      return { ride: withPin(ride, pinSecret) };
    },
    async cancelRide(command, context) {
      const { ride } = await ask(context, (options) => coordinator().cancelRide({ command }, options));
      return { ride: withPin(ride, pinSecret) };
    },
    async listRides(command, context) {
      const { page } = await ask(context, (options) => coordinator().listRides({ command }, options));
      return { rides: (page?.rides ?? []).map((ride) => withPin(ride, pinSecret)), nextPageToken: page?.nextPageToken ?? "" };
    },
    async quoteCancellation(command, context) {
      const { quote } = await ask(context, (options) => coordinator().quoteCancellation({ command }, options));
      return quote ?? {};
    },
  };
}
