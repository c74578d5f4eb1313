/**
 * `OpsService.ListDeadLetters` and `ReplayDeadLetters`: the coordinator's and every read model's, as one list. A service
 * that does not answer fails the call: an empty list must mean that all was looked at, and a replay asked again goes on.
 */
import { create } from "@bufbuild/protobuf";
import type { CallOptions, HandlerContext } from "@connectrpc/connect";
import {
  type ListDeadLettersRequest,
  type ListDeadLettersResponse,
  ListDeadLettersResponseSchema,
  type ReplayDeadLettersRequest,
} from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { apiError, type ServiceDirectory, type ServingRegions } from "@ridegrid/rpc";
import type { Regions } from "@ridegrid/spatial";
import { ask } from "../dependency.ts";
import { regionReadTimeoutMs, searchPageDefault } from "../limits.ts";

export type DeadLettersDeps = {
  readonly regions: Regions;
  readonly directory: ServiceDirectory;
  readonly serving: Pick<ServingRegions, "isServing">;
};

type Page = { readonly page?: ListDeadLettersResponse | undefined };

/** Ids are UUIDv7, so their order is the order of time, and the last id shown is where every service goes on. */
export async function listDeadLetters({ regions, directory, serving }: DeadLettersDeps, command: ListDeadLettersRequest, context: HandlerContext) {
  if (command.region !== "" && !regions.all.some(({ id }) => id === command.region))
    throw apiError("FIELD_INVALID", `There is no region "${command.region}"`, { field: "region" });
  const one = (call: (options: CallOptions) => Promise<Page>): Promise<Page> => ask(context, call, regionReadTimeoutMs);
  // The read model of a region that was taken over is nobody's any more.
  const asked = regions.all.filter(({ id }) => serving.isServing(id) && (command.region === "" || id === command.region));
  const pages = await Promise.all([
    one((options) => directory.coordinator().listDeadLetters({ command }, options)),
    ...asked.map(({ id: region }) => one((options) => directory.state(region).listRegionDeadLetters({ region, command }, options))),
  ]);
  const pageSize = command.pageSize === 0 ? searchPageDefault : command.pageSize;
  const found = pages.flatMap(({ page }) => page?.deadLetters ?? []).toSorted((left, right) => (left.deadLetterId < right.deadLetterId ? -1 : 1));
  const deadLetters = found.slice(0, pageSize);
  const goesOn = found.length > deadLetters.length || pages.some(({ page }) => (page?.nextPageToken ?? "") !== "");
  return create(ListDeadLettersResponseSchema, { deadLetters, nextPageToken: goesOn ? (deadLetters.at(-1)?.deadLetterId ?? "") : "" });
}

/** The coordinator first: it checks the request id and audits. Each service applies its own of those named. */
export async function replayDeadLetters({ regions, directory, serving }: DeadLettersDeps, command: ReplayDeadLettersRequest, context: HandlerContext) {
  const own = await ask(context, (options) => directory.coordinator().replayDeadLetters({ command }, options));
  const others = await Promise.all(
    regions.all
      .filter(({ id }) => serving.isServing(id))
      .map(({ id: region }) => ask(context, (options) => directory.state(region).replayRegionDeadLetters({ region, command }, options))),
  );
  return { replayed: [own, ...others].reduce((sum, { replayed }) => sum + replayed, 0) };
}
