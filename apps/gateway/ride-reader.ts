/**
 * Reads one ride for its caller: the read model of its home region first, the coordinator where that does not know the
 * ride, is behind the version asked for, or is away. With the coordinator away, any region's read model will do.
 */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import { timestampFromMs } from "@ridegrid/contracts";
import type { Ride } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import type { Clock } from "@ridegrid/domain";
import { callerOf, reasonOf, type ServiceDirectory } from "@ridegrid/rpc";
import type { Regions } from "@ridegrid/spatial";
import { ask, isAway } from "./dependency.ts";
import { stateReadTimeoutMs } from "./limits.ts";
import { type RideLocator, rideNotFound } from "./ride-locator.ts";

export type RideReading = { readonly ride: Ride; readonly asOf: Timestamp | undefined };

export interface RideReader {
  /** `minVersion` 0n takes what is there. @throws RIDE_NOT_FOUND, also for another rider's ride */
  read(rideId: string, minVersion: bigint, context: HandlerContext): Promise<RideReading>;
}

export type RideReaderDeps = { readonly directory: ServiceDirectory; readonly regions: Regions; readonly locator: RideLocator; readonly clock: Clock };

export function createRideReader(deps: RideReaderDeps): RideReader {
  return {
    async read(rideId, minVersion, context) {
      const reading = await readAnywhere(deps, { rideId, minVersion }, context);
      const { principal, role } = callerOf(context);
      if (role === "rider" && reading.ride.riderId !== principal) throw rideNotFound(rideId);
      return reading;
    },
  };
}

type Asked = { readonly rideId: string; readonly minVersion: bigint };

async function readAnywhere(deps: RideReaderDeps, asked: Asked, context: HandlerContext): Promise<RideReading> {
  const region = await homeRegion(deps, asked.rideId, context);
  const view = region === undefined ? await firstView(deps, asked, context) : await viewOf(deps, region, asked, context);
  if (view !== undefined) return view;
  // A remembered region that does not know the ride may have been taken over since.
  deps.locator.forget(asked.rideId);
  const { ride } = await ask(context, (options) => deps.directory.coordinator().getRide({ rideId: asked.rideId }, options));
  if (ride === undefined) throw rideNotFound(asked.rideId);
  return { ride, asOf: timestampFromMs(deps.clock.nowMs()) };
}

/** Undefined while the coordinator, which knows, is away. */
async function homeRegion({ locator }: RideReaderDeps, rideId: string, context: HandlerContext): Promise<string | undefined> {
  try {
    return (await locator.locate(rideId, context)).homeRegion;
  } catch (error) {
    if (isAway(error)) return undefined;
    throw error;
  }
}

async function firstView(deps: RideReaderDeps, asked: Asked, context: HandlerContext): Promise<RideReading | undefined> {
  const views = await Promise.all(deps.regions.all.map((region) => viewOf(deps, region.id, asked, context)));
  return views.find((view) => view !== undefined);
}

/** Undefined when this read model cannot answer, for whatever reason: the coordinator can. */
async function viewOf({ directory }: RideReaderDeps, region: string, { rideId, minVersion }: Asked, context: HandlerContext): Promise<RideReading | undefined> {
  try {
    const { ride, asOf } = await ask(context, (options) => directory.state(region).getRideView({ region, rideId, minVersion }, options), stateReadTimeoutMs);
    return ride === undefined || ride.version < minVersion ? undefined : { ride, asOf };
  } catch (error) {
    if (isAway(error) || reasonOf(error) === "RIDE_NOT_FOUND") return undefined;
    throw error;
  }
}
