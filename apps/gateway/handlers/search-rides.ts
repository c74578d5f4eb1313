/**
 * `OpsService.SearchRides`: one page over the read models of all regions, newest first.
 *
 * A ride's id is a UUIDv7, so the order of ids is the order of time. The page token says for each region where to go
 * on: the region's own token, and the last ride taken of the page that it leads to.
 */
import type { HandlerContext } from "@connectrpc/connect";
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import {
  type SearchRidesRequest,
  SearchRidesRequestSchema,
  type SearchRidesResponse,
  SearchRidesResponseSchema,
} from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import type { Ride } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import { apiError, type ServiceDirectory, type ServingRegions } from "@ridegrid/rpc";
import type { Regions } from "@ridegrid/spatial";
import { ask } from "../dependency.ts";
import { askEveryRegion, missing } from "../every-region.ts";
import { regionReadTimeoutMs, searchPageDefault } from "../limits.ts";
import { withoutPin } from "../ride-pins.ts";
import { decodePlaces, encodePlaces, type Place } from "../search-places.ts";

export type SearchRidesDeps = { readonly regions: Regions; readonly directory: ServiceDirectory; readonly serving: Pick<ServingRegions, "isServing"> };

export async function searchRides(
  { regions, directory, serving }: SearchRidesDeps,
  request: SearchRidesRequest,
  context: HandlerContext,
): Promise<SearchRidesResponse> {
  const pageSize = request.pageSize === 0 ? searchPageDefault : request.pageSize;
  const places = request.pageToken === "" ? firstPlaces(regions, request.region) : decodePlaces(request.pageToken, regions);
  // A region that was taken over knows its rides as they were; what only it knows is missing.
  const asked = [...places.keys()].filter(serving.isServing);
  const answers = await askEveryRegion(asked, async (region) => {
    const command = create(SearchRidesRequestSchema, { ...request, pageSize, pageToken: places.get(region)?.token ?? "" });
    const { page } = await ask(context, (options) => directory.state(region).searchRides({ region, command }, options), regionReadTimeoutMs);
    return page;
  });
  const found = answers.flatMap(({ region, answer }) =>
    (answer?.rides ?? []).filter(({ rideId }) => isAfter(places.get(region), rideId)).map((ride) => ({ region, ride })),
  );
  const taken = found.sort((a, b) => (a.ride.rideId < b.ride.rideId ? 1 : -1)).slice(0, pageSize);
  const next = new Map<string, Place>();
  for (const { region, answer } of answers) {
    const place = nextPlace({
      place: places.get(region) ?? { token: "", after: "" },
      rides: answer?.rides,
      nextToken: answer?.nextPageToken ?? "",
      taken: taken.filter((each) => each.region === region).map(({ ride }) => ride),
    });
    if (place !== undefined) next.set(region, place);
  }
  // Only regions that are away are left: this page ends, or the caller would ask for ever.
  const goesOn = [...next.keys()].some((region) => answers.some((each) => each.region === region && each.answer !== undefined));
  const asOf = oldest(answers.map(({ answer }) => answer));
  return create(SearchRidesResponseSchema, {
    rides: taken.map(({ ride }) => withoutPin(ride)),
    nextPageToken: goesOn ? encodePlaces(next) : "",
    ...(asOf && { asOf }),
    missingRegions: [...missing(answers), ...[...places.keys()].filter((region) => !serving.isServing(region))],
  });
}

function firstPlaces(regions: Regions, only: string): ReadonlyMap<string, Place> {
  if (only !== "" && !regions.all.some(({ id }) => id === only)) throw apiError("FIELD_INVALID", `There is no region "${only}"`, { field: "region" });
  return new Map(regions.all.filter(({ id }) => only === "" || id === only).map(({ id }) => [id, { token: "", after: "" }]));
}

function isAfter(place: Place | undefined, rideId: string): boolean {
  return place === undefined || place.after === "" || rideId < place.after;
}

type Progress = { readonly place: Place; readonly rides: readonly Ride[] | undefined; readonly nextToken: string; readonly taken: readonly Ride[] };

/** Undefined when the region has no more. */
function nextPlace({ place, rides, nextToken, taken }: Progress): Place | undefined {
  if (rides === undefined) return place;
  const left = rides.filter(({ rideId }) => isAfter(place, rideId)).length - taken.length;
  const last = taken.at(-1)?.rideId ?? place.after;
  if (left > 0) return { token: place.token, after: last };
  return nextToken === "" ? undefined : { token: nextToken, after: last };
}

/** The read model that is furthest behind says as of when the page is true. */
function oldest(pages: readonly (SearchRidesResponse | undefined)[]): Timestamp | undefined {
  const times = pages.flatMap((page) => (page?.asOf === undefined ? [] : [page.asOf]));
  return times.sort((a, b) => Number(a.seconds - b.seconds) || a.nanos - b.nanos)[0];
}
