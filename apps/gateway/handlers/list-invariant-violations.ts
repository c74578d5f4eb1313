/**
 * `OpsService.ListInvariantViolations`: the coordinator's and every read model's. One that does not answer fails the
 * call: an empty list must mean that all was looked at.
 */
import type { HandlerContext } from "@connectrpc/connect";
import type { InvariantViolation } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import type { ServiceDirectory, ServingRegions } from "@ridegrid/rpc";
import type { Regions } from "@ridegrid/spatial";
import { ask } from "../dependency.ts";

export type ListInvariantViolationsDeps = {
  readonly regions: Regions;
  readonly directory: ServiceDirectory;
  readonly serving: Pick<ServingRegions, "isServing">;
};

export async function listInvariantViolations(
  { regions, directory, serving }: ListInvariantViolationsDeps,
  context: HandlerContext,
): Promise<{ violations: InvariantViolation[] }> {
  const parts = await Promise.all([
    ask(context, (options) => directory.coordinator().listInvariantViolations({}, options)),
    // The read model of a region that was taken over is nobody's any more.
    ...regions.all
      .filter(({ id }) => serving.isServing(id))
      .map(({ id: region }) => ask(context, (options) => directory.state(region).listReadModelViolations({ region }, options))),
  ]);
  return { violations: parts.flatMap(({ violations }) => violations) };
}
