/** `RiderService.GetRide`: one of the rider's own rides, with its PIN while it is open. */
import type { HandlerContext } from "@connectrpc/connect";
import type { GetRideRequest } from "@ridegrid/contracts/gen/rider/v1/rider_service_pb";
import { withPin } from "../ride-pins.ts";
import type { RideReader, RideReading } from "../ride-reader.ts";

export type GetRideDeps = { readonly reader: RideReader; readonly pinSecret: string };

export async function getRide({ reader, pinSecret }: GetRideDeps, { rideId, minVersion }: GetRideRequest, context: HandlerContext): Promise<RideReading> {
  const { ride, asOf } = await reader.read(rideId, minVersion, context);
  return { ride: withPin(ride, pinSecret), asOf };
}
