/** `OpsService.SearchDrivers`: the available drivers nearest to a point, over the read models of all regions. */
import type { HandlerContext } from "@connectrpc/connect";
import { create } from "@bufbuild/protobuf";
import { type SearchDriversRequest, type SearchDriversResponse, SearchDriversResponseSchema } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { ask } from "../dependency.ts";
import { askEveryRegion, missing } from "../every-region.ts";
import { nearDriversDefault, regionReadTimeoutMs } from "../limits.ts";
import type { SearchRidesDeps } from "./search-rides.ts";

export async function searchDrivers(
  { regions, directory, serving }: SearchRidesDeps,
  command: SearchDriversRequest,
  context: HandlerContext,
): Promise<SearchDriversResponse> {
  // A region that was taken over has no shifts any more: its drivers are known to the one that serves.
  const asked = regions.all.map(({ id }) => id).filter(serving.isServing);
  const answers = await askEveryRegion(
    asked,
    async (region) => await ask(context, (options) => directory.state(region).searchDrivers({ region, command }, options), regionReadTimeoutMs),
  );
  const found = answers.flatMap(({ answer }) => answer?.drivers ?? []).sort((a, b) => a.distanceMeters - b.distanceMeters);
  const drivers = found.slice(0, command.limit === 0 ? nearDriversDefault : command.limit);
  return create(SearchDriversResponseSchema, { drivers, missingRegions: missing(answers) });
}
