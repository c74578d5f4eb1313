/** The part of the pipeline's health that the coordinator sees. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@ridegrid/contracts";
import { GetPipelineHealthResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { GetPipelineHealthResponseSchema as HealthSchema } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import type { EventLog, Relay } from "@ridegrid/eventlog";
import type { ReadinessPart } from "@ridegrid/runtime";
import { readLag, readLeases, readOutboxes } from "../pipeline-health.postgres.ts";
import { type CoordinatorImpl, type HandlerDeps, serviceName } from "./handler.ts";

export type PipelineHealthDeps = Pick<HandlerDeps, "sql" | "regions"> & {
  readonly eventLog: (region: string) => EventLog;
  readonly relay: Relay;
  readonly readiness: () => readonly ReadinessPart[];
  readonly startTimeMs: number;
};

export function getPipelineHealth({ sql, regions, eventLog, relay, readiness, startTimeMs }: PipelineHealthDeps): CoordinatorImpl["getPipelineHealth"] {
  return async () => {
    const [leases, outboxes, { consumers, missingRegions }] = await Promise.all([
      readLeases(sql),
      readOutboxes(sql, serviceName, relay.backlog()),
      readLag(
        sql,
        eventLog,
        regions.all.map(({ id }) => id),
      ),
    ]);
    const parts = readiness();
    const detail = parts.filter(({ ready }) => !ready).map((part) => `${part.name}: ${part.detail}`);
    const process = { name: serviceName, region: "", ready: detail.length === 0, detail: detail.join("; "), startTime: timestampFromMs(startTimeMs) };
    const health = create(HealthSchema, { leases, outboxes, consumers: [...consumers], missingRegions: [...missingRegions], processes: [process] });
    return create(GetPipelineHealthResponseSchema, { health });
  };
}
