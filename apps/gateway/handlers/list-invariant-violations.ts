/**
 * `OpsService.ListInvariantViolations`: the coordinator's and every read model's. One that does not answer fails the
 * call: an empty list must mean that all was looked at.
 */
import type { HandlerContext } from "@connectrpc/connect";
import type { InvariantViolation } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import type { ServiceDirectory } from "@ridegrid/rpc";
import type { Regions } from "@ridegrid/spatial";
import { ask } from "../dependency.ts";

export type ListInvariantViolationsDeps = { readonly regions: Regions; readonly directory: ServiceDirectory };

export async function listInvariantViolations(
  { regions, directory }: ListInvariantViolationsDeps,
  context: HandlerContext,
): Promise<{ violations: InvariantViolation[] }> {
  const parts = await Promise.all([
    ask(context, (options) => directory.coordinator().listInvariantViolations({}, options)),
    ...regions.all.map(({ id: region }) => ask(context, (options) => directory.state(region).listReadModelViolations({ region }, options))),
  ]);
  return { violations: parts.flatMap(({ violations }) => violations) };
}
