/** Reports this region's topics, and this consumer's lags, leases and process. An event log that is away is said, not thrown. */
import { create } from "@bufbuild/protobuf";
import { physicalTopic, timestampFromMs, topicCatalogue, type TopicName } from "@ridegrid/contracts";
import { type GetRegionHealthRequest, type GetRegionHealthResponse, GetRegionHealthResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import {
  ConsumerLagSchema,
  GetPipelineHealthResponseSchema,
  LeaseSchema,
  ProcessHealthSchema,
  TopicHealthSchema,
} from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { loadCheckpoint, type PartitionBounds } from "@ridegrid/eventlog";
import { consumerName } from "../consumer-name.ts";
import { logProbeTimeoutMs } from "../limits.ts";
import { requireRegion, type StateQueryParts } from "../state-query-parts.ts";
import { withTimeout } from "../with-timeout.ts";

export async function getRegionHealth(parts: StateQueryParts, request: GetRegionHealthRequest): Promise<GetRegionHealthResponse> {
  requireRegion(parts, request.region);
  const [topics, leases] = await Promise.all([readTopics(parts), readLeases(parts)]);
  const consumers = await readLags(parts, topics);
  const logAway = topics.some((topic) => topic.bounds === null) ? [`the event log of "${parts.region}" does not answer`] : [];
  const notReady = parts
    .readiness()
    .filter((part) => !part.ready)
    .map((part) => `${part.name}: ${part.detail}`);
  const process = create(ProcessHealthSchema, {
    name: parts.name,
    region: parts.region,
    ready: notReady.length === 0,
    detail: [...logAway, ...notReady].join("; "),
    startTime: timestampFromMs(parts.startedAtMs()),
  });
  const held = topics.flatMap(({ name, partition, bounds }) => {
    if (bounds === null) return [];
    return create(TopicHealthSchema, { region: parts.region, topic: name, partition, startOffset: BigInt(bounds.start), endOffset: BigInt(bounds.end) });
  });
  return create(GetRegionHealthResponseSchema, { health: create(GetPipelineHealthResponseSchema, { consumers, leases, topics: held, processes: [process] }) });
}

type TopicState = { readonly name: TopicName; readonly partition: number; readonly bounds: PartitionBounds | null };

async function readTopics(parts: StateQueryParts): Promise<readonly TopicState[]> {
  const asked = topicCatalogue.flatMap(({ name }) => parts.partitions.map((partition) => ({ name, partition })));
  return await Promise.all(
    asked.map(async ({ name, partition }) => {
      const bounds = await withTimeout(parts.eventLog.bounds(physicalTopic(parts.region, name), partition), logProbeTimeoutMs).catch(() => null);
      return { name, partition, bounds };
    }),
  );
}

async function readLags(parts: StateQueryParts, topics: readonly TopicState[]) {
  const consumed = topics.filter(({ name }) => name === "ride-events.v1" || name === "driver-events.v1");
  return await Promise.all(
    consumed.map(async ({ name, partition, bounds }) => {
      const topic = physicalTopic(parts.region, name);
      const next = (await loadCheckpoint(parts.sql, { homeRegion: parts.region, consumer: consumerName, topic, partition })) ?? bounds?.start ?? 0;
      const end = Math.max(bounds?.end ?? next, next);
      return create(ConsumerLagSchema, {
        region: parts.region,
        consumer: consumerName,
        topic: name,
        partition,
        nextOffset: BigInt(next),
        endOffset: BigInt(end),
        lag: BigInt(end - next),
      });
    }),
  );
}

type LeaseRow = {
  readonly consumer: string;
  readonly partition: number;
  readonly owner: string | null;
  readonly epoch: number;
  readonly expires_in_ms: number | null;
};

async function readLeases(parts: StateQueryParts) {
  const rows = await parts.sql<LeaseRow[]>`
    SELECT consumer, partition, owner, epoch,
      CASE WHEN isfinite(lease_until) THEN round(extract(epoch FROM lease_until - clock_timestamp()) * 1000)::float8 END AS expires_in_ms
    FROM lease WHERE home_region = ${parts.region} ORDER BY consumer, partition`;
  return rows.map(({ consumer, partition, owner, epoch, expires_in_ms }) =>
    create(LeaseSchema, { region: parts.region, consumer, partition, owner: owner ?? "", epoch: BigInt(epoch), expiresInMs: BigInt(expires_in_ms ?? 0) }),
  );
}
