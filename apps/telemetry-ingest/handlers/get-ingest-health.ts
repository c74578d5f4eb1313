/** `GetIngestHealth`: this process, as it reports itself. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@ridegrid/contracts";
import { type GetIngestHealthResponse, GetIngestHealthResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";

export type IngestFacts = { readonly name: string; readonly region: string; readonly startTimeMs: number; readonly detail: string };

export function ingestHealth({ name, region, startTimeMs, detail }: IngestFacts): GetIngestHealthResponse {
  const health: MessageInitShape<typeof GetIngestHealthResponseSchema>["health"] = {
    processes: [{ name, region, ready: detail === "", detail, startTime: timestampFromMs(startTimeMs) }],
  };
  return create(GetIngestHealthResponseSchema, { health });
}
