/**
 * Applies this region's dead letters among those named, with what waited behind them, as the fold would have. Asked
 * twice, it is done once; one that fails again stays, with its new reason.
 */
import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { physicalTopic } from "@ridegrid/contracts";
import {
  type ReplayRegionDeadLettersRequest,
  type ReplayRegionDeadLettersResponse,
  ReplayRegionDeadLettersResponseSchema,
} from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { createDeadLetterStore, PoisonRecord } from "@ridegrid/eventlog";
import { apiError, callerOf } from "@ridegrid/rpc";
import { consumerName } from "../consumer-name.ts";
import { foldDriverBatch, foldRideBatch } from "../fold-batch.ts";
import { keepRebuildsOut } from "../rides-rebuild.postgres.ts";
import { requireRegion, type StateQueryParts } from "../state-query-parts.ts";
import type { WatchKey } from "../wakeups.ts";

export async function replayRegionDeadLetters(
  parts: StateQueryParts,
  request: ReplayRegionDeadLettersRequest,
  context: HandlerContext,
): Promise<ReplayRegionDeadLettersResponse> {
  requireRegion(parts, request.region);
  const { role } = callerOf(context);
  if (role !== "operator") throw apiError("ROLE_NOT_ALLOWED", `Cannot replay dead letters as "${role}"`);
  const { sql, region, rides, drivers } = parts;
  const rideTopic = physicalTopic(region, "ride-events.v1");
  let changed: readonly WatchKey[] = [];
  const replayed = await sql.begin(async (tx) => {
    changed = [];
    if (!(await keepRebuildsOut(tx, region)))
      throw apiError("REQUEST_IN_FLIGHT", `Cannot replay dead letters of region "${region}" while its rides are rebuilt`);
    return await createDeadLetterStore().replay(tx, {
      consumer: consumerName,
      homeRegion: region,
      ids: request.command?.deadLetterIds ?? [],
      async apply(inner, { topic, partition, record }) {
        const records = [{ ...record, topic, partition }];
        const result = topic === rideTopic ? await foldRideBatch(rides, inner, records) : await foldDriverBatch(drivers, inner, records);
        const [dead] = result.dead;
        if (dead !== undefined) throw new PoisonRecord(dead.record.offset, String(dead.reason), { cause: dead.reason });
        changed = [...changed, ...result.changed];
      },
    });
  });
  for (const key of changed) parts.wakeups.wake(key);
  return create(ReplayRegionDeadLettersResponseSchema, { replayed });
}
