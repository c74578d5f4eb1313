/** `OpsService.ListRegions`: the regions file, with what the coordinator says about draining and takeovers where it answers. */
import type { HandlerContext } from "@connectrpc/connect";
import type { RegionState } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { type ListRegionsResponse, ListRegionsResponseSchema, type Region, RegionSchema } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { create } from "@bufbuild/protobuf";
import { reasonOf, type ServiceDirectory } from "@ridegrid/rpc";
import type { Region as ConfiguredRegion, Regions } from "@ridegrid/spatial";
import { ask, isAway } from "../dependency.ts";
import { regionReadTimeoutMs } from "../limits.ts";

export type ListRegionsDeps = { readonly regions: Regions; readonly directory: ServiceDirectory };

export async function listRegions(deps: ListRegionsDeps, context: HandlerContext): Promise<ListRegionsResponse> {
  const states = await regionStates(deps, context);
  return create(ListRegionsResponseSchema, { regions: deps.regions.all.map((region) => regionToWire(region, states.get(region.id))) });
}

/** After a change: what the coordinator says now. */
export async function regionNow(deps: ListRegionsDeps, id: string, context: HandlerContext): Promise<Region | undefined> {
  return (await listRegions(deps, context)).regions.find(({ region }) => region === id);
}

async function regionStates({ directory }: ListRegionsDeps, context: HandlerContext): Promise<ReadonlyMap<string, RegionState>> {
  try {
    const { regions } = await ask(context, (options) => directory.coordinator().listRegionStates({}, options), regionReadTimeoutMs);
    return new Map(regions.map((state) => [state.region, state]));
  } catch (error) {
    if (isAway(error) || reasonOf(error) === "UNIMPLEMENTED") return new Map();
    throw error;
  }
}

function regionToWire({ id, neighbor, markets }: ConfiguredRegion, state: RegionState | undefined): Region {
  const wire = markets.map(({ marketId, currencyCode, timeZone, partition, cover }) => ({ marketId, currencyCode, timeZone, partition, cells: [...cover] }));
  const { draining = false, servedBy = "", epoch = 0n } = state ?? {};
  return create(RegionSchema, { region: id, neighbor, draining, servedBy, epoch, markets: wire });
}
