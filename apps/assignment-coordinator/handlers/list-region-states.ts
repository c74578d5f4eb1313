/** Every region's switches; a region that nobody has touched serves itself. */
import { create } from "@bufbuild/protobuf";
import { ListRegionStatesResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { readRegionStates, untouched } from "../serving.postgres.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

export function listRegionStates({ sql, regions }: HandlerDeps): CoordinatorImpl["listRegionStates"] {
  return async () => {
    const known = new Map((await readRegionStates(sql)).map((state) => [state.region, state]));
    const states = regions.all.map(({ id }) => known.get(id) ?? untouched(id));
    return create(ListRegionStatesResponseSchema, { regions: states.map((state) => ({ ...state, epoch: BigInt(state.epoch) })) });
  };
}
