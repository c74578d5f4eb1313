/**
 * `OpsService.GetPipelineHealth`: what the coordinator and each region's services report, joined. A service that does
 * not answer is a process that is not ready, and its region is missing.
 */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type CallOptions, type HandlerContext } from "@connectrpc/connect";
import { type GetPipelineHealthResponse, GetPipelineHealthResponseSchema, type ProcessHealthSchema } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { reasonOf, type ServiceDirectory } from "@ridegrid/rpc";
import type { Regions } from "@ridegrid/spatial";
import { ask, isAway } from "../dependency.ts";
import { regionReadTimeoutMs } from "../limits.ts";

type ProcessHealthInit = MessageInitShape<typeof ProcessHealthSchema>;
export type GetPipelineHealthDeps = { readonly regions: Regions; readonly directory: ServiceDirectory; readonly ownProcess: () => ProcessHealthInit };

type Part = { readonly name: string; readonly region: string; readonly health: GetPipelineHealthResponse | undefined };

export async function getPipelineHealth(
  { regions, directory, ownProcess }: GetPipelineHealthDeps,
  context: HandlerContext,
): Promise<GetPipelineHealthResponse> {
  const part = async (
    name: string,
    region: string,
    call: (options: CallOptions) => Promise<{ readonly health?: GetPipelineHealthResponse | undefined }>,
  ): Promise<Part> => {
    try {
      return { name, region, health: (await ask(context, call, regionReadTimeoutMs)).health ?? create(GetPipelineHealthResponseSchema) };
    } catch (error) {
      if (isAway(error) || reasonOf(error) === "UNIMPLEMENTED") return { name, region, health: undefined };
      throw error;
    }
  };
  const parts = await Promise.all([
    part("assignment-coordinator", "", (options) => directory.coordinator().getPipelineHealth({}, options)),
    ...regions.all.flatMap(({ id: region }) => [
      part(`state-query.${region}`, region, (options) => directory.state(region).getRegionHealth({ region }, options)),
      part(`matching-worker.${region}`, region, (options) => directory.matching(region).getWorkerHealth({}, options)),
      part(`telemetry-ingest.${region}`, region, (options) => directory.ingest(region).getIngestHealth({}, options)),
    ]),
  ]);
  return joined(parts, ownProcess());
}

function joined(parts: readonly Part[], ownProcess: ProcessHealthInit): GetPipelineHealthResponse {
  const all = parts.flatMap(({ health }) => (health === undefined ? [] : [health]));
  const absent = parts.filter(({ health }) => health === undefined);
  const away = absent.map(({ name, region }) => ({ name, region, ready: false, detail: "It did not answer" }));
  return create(GetPipelineHealthResponseSchema, {
    consumers: distinct(
      all.flatMap((health) => health.consumers),
      ({ region, consumer, topic, partition }) => `${region}/${consumer}/${topic}/${partition}`,
    ),
    outboxes: distinct(
      all.flatMap((health) => health.outboxes),
      ({ writer, region }) => `${writer}/${region}`,
    ),
    leases: distinct(
      all.flatMap((health) => health.leases),
      ({ region, consumer, partition }) => `${region}/${consumer}/${partition}`,
    ),
    processes: distinct<ProcessHealthInit>([...all.flatMap((health) => health.processes), ownProcess, ...away], ({ name, region }) => `${name}/${region}`),
    topics: distinct(
      all.flatMap((health) => health.topics),
      ({ region, topic, partition }) => `${region}/${topic}/${partition}`,
    ),
    missingRegions: [...new Set(absent.flatMap(({ region }) => (region === "" ? [] : [region])))],
  });
}

/** Two services may report the same thing; the first one's word stands. */
function distinct<T>(items: readonly T[], key: (item: T) => string): T[] {
  const seen = new Map<string, T>();
  for (const item of items) if (!seen.has(key(item))) seen.set(key(item), item);
  return [...seen.values()];
}
