/** Every region's switches; a region that nobody has touched serves itself. */
import { create } from "@bufbuild/protobuf";
import { ListRegionStatesResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import type { RegionState } from "../operator-store.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

export function listRegionStates({ sql, regions }: HandlerDeps): CoordinatorImpl["listRegionStates"] {
  return async () => {
    const rows = await sql<RegionState[]>`SELECT region, draining, served_by AS "servedBy", epoch::float8 AS epoch FROM region_state`;
    const known = new Map(rows.map((row) => [row.region, row]));
    const states = regions.all.map(({ id }) => known.get(id) ?? { region: id, draining: false, servedBy: id, epoch: 0 });
    return create(ListRegionStatesResponseSchema, { regions: states.map((state) => ({ ...state, epoch: BigInt(state.epoch) })) });
  };
}
