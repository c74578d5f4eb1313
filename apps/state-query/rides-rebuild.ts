/**
 * Folds the rides of a region anew beside the live ones, compares the two at one place of the log, and swaps the new
 * ones in. It starts where the log starts, or from the stored snapshot where the log no longer reaches back.
 *
 * Live folding goes on meanwhile; it pauses for the last records and the swap. A rebuild that would lose rides is
 * refused, and nothing is changed.
 */
import { physicalTopic } from "@ridegrid/contracts";
import { createDeadLetterStore, type EventLog, loadCheckpoint, type Queryable } from "@ridegrid/eventlog";
import { apiError } from "@ridegrid/rpc";
import type { ProcessContext, Sql } from "@ridegrid/runtime";
import { consumerName } from "./consumer-name.ts";
import { foldRideBatch } from "./fold-batch.ts";
import { hashRides } from "./hash-rides.ts";
import { foldBatchBytesMax, foldBatchRecordsMax, logWaitMs, rebuildLagMax, rebuildSwapMaxMs } from "./limits.ts";
import { createPostgresRideStore } from "./ride-store.postgres.ts";
import { claimRebuild, clearRebuilt, deadOffsets, rebuiltTables, ridesMissing, seedFromSnapshot, swapIn } from "./rides-rebuild.postgres.ts";
import { snapshotPositions } from "./rides-snapshot.postgres.ts";

export type RidesRebuildDeps = {
  readonly context: ProcessContext;
  readonly sql: Sql;
  readonly eventLog: EventLog;
  readonly region: string;
  readonly partitions: readonly number[];
};

export type RebuildRequest = { readonly requestId: string; readonly principal: string };
export type RebuildResult = { readonly hashBefore: string; readonly hashAfter: string; readonly rides: number; readonly startedFrom: "log" | "snapshot" };

/** Next offsets by partition. */
type Places = Map<number, number>;

/** @throws REQUEST_IN_FLIGHT beside another rebuild, DEPENDENCY_AWAY where nothing reaches back far enough. */
export async function rebuildRides(deps: RidesRebuildDeps, request: RebuildRequest, signal: AbortSignal): Promise<RebuildResult> {
  const { sql, region, partitions } = deps;
  // This transaction holds the claim and does the swap; until then it has written nothing, and holds nothing up.
  return await sql.begin(async (tx) => {
    await tx`SELECT set_config('idle_in_transaction_session_timeout', '0', true), set_config('statement_timeout', ${String(rebuildSwapMaxMs)}, true)`;
    if (!(await claimRebuild(tx, region)))
      throw apiError("REQUEST_IN_FLIGHT", `Cannot rebuild the rides of region "${region}": a rebuild or a replay is under way`);
    await clearRebuilt(sql, region);
    const { startedFrom, origins } = await findOrigins(deps);
    if (startedFrom === "snapshot") await seedFromSnapshot(sql, region);
    const places: Places = new Map(origins);
    const compared = await foldAndCompare(deps, places, signal);
    for (const partition of partitions) await createDeadLetterStore().holdConsumer(tx, scopeOf(deps, partition));
    await foldTo(deps, tx, { places, ends: await liveEnds(deps, tx), signal });
    const missing = await ridesMissing(tx, region);
    if (missing > 0) {
      throw apiError(
        "DEPENDENCY_AWAY",
        `Cannot rebuild the rides of region "${region}" from the ${startedFrom}: it lacks events of ${missing} rides; nothing was changed`,
      );
    }
    const rides = await swapIn(
      tx,
      region,
      [...origins].map(([partition, from]) => ({ partition, from })),
    );
    await clearRebuilt(tx, region);
    const { requestId, principal } = request;
    await tx`
      INSERT INTO rebuild (request_id, home_region, principal, hash_before, hash_after, rides, started_from)
      VALUES (${requestId}, ${region}, ${principal}, ${compared.hashBefore}, ${compared.hashAfter}, ${rides}, ${startedFrom})`;
    return { ...compared, rides, startedFrom };
  });
}

async function findOrigins({
  eventLog,
  sql,
  region,
  partitions,
}: RidesRebuildDeps): Promise<{ readonly startedFrom: "log" | "snapshot"; readonly origins: Places }> {
  const topic = physicalTopic(region, "ride-events.v1");
  const starts = await Promise.all(partitions.map(async (partition) => ({ partition, start: (await eventLog.bounds(topic, partition)).start })));
  if (starts.every(({ start }) => start === 0)) return { startedFrom: "log", origins: new Map(partitions.map((partition) => [partition, 0])) };
  const stored = await snapshotPositions({ sql, region });
  const origins: Places = new Map();
  for (const { partition, start } of starts) {
    const position = stored.get(partition) ?? 0;
    if (position < start) {
      const snapshot = stored.has(partition) ? `the stored snapshot ends at ${position}` : "there is no stored snapshot";
      throw apiError("DEPENDENCY_AWAY", `Cannot rebuild from ${topic}/${partition}: the log starts at ${start}, and ${snapshot}`);
    }
    origins.set(partition, position);
  }
  return { startedFrom: "snapshot", origins };
}

/** Folds until it is near the live fold, then both are hashed at one and the same place of it. */
async function foldAndCompare(deps: RidesRebuildDeps, places: Places, signal: AbortSignal): Promise<Pick<RebuildResult, "hashBefore" | "hashAfter">> {
  const { sql, region } = deps;
  const distance = (ends: Places): number => [...ends].reduce((sum, [partition, end]) => sum + end - (places.get(partition) ?? 0), 0);
  for (let ends = await liveEnds(deps, sql); distance(ends) > rebuildLagMax; ends = await liveEnds(deps, sql))
    await foldTo(deps, sql, { places, ends, signal });
  const live = await sql.begin("isolation level repeatable read read only", async (tx) => ({
    ends: await liveEnds(deps, tx),
    hash: await hashRides(createPostgresRideStore({ sql, region }).all(tx)),
  }));
  await foldTo(deps, sql, { places, ends: live.ends, signal });
  return { hashBefore: live.hash, hashAfter: await hashRides(createPostgresRideStore({ sql, region, tables: rebuiltTables }).all()) };
}

async function liveEnds(deps: RidesRebuildDeps, sql: Queryable): Promise<Places> {
  const ends: Places = new Map();
  for (const partition of deps.partitions) ends.set(partition, (await loadCheckpoint(sql, scopeOf(deps, partition))) ?? 0);
  return ends;
}

type Folding = { readonly places: Places; readonly ends: Places; readonly signal: AbortSignal };

/** Folds up to exactly `ends`: a batch and a commit at a time, or all in the caller's transaction. */
async function foldTo(deps: RidesRebuildDeps, sql: Sql | Queryable, { places, ends, signal }: Folding): Promise<void> {
  const store = createPostgresRideStore({ sql: deps.sql, region: deps.region, tables: rebuiltTables });
  for (const [partition, end] of ends) {
    const { topic } = scopeOf(deps, partition);
    for (let at = places.get(partition) ?? 0; at < end; places.set(partition, at)) {
      const limits = { maxRecords: foldBatchRecordsMax, maxBytes: foldBatchBytesMax, maxWaitMs: logWaitMs };
      const read = await deps.eventLog.read(topic, partition, at, limits, signal);
      const last = read.at(-1);
      if (last === undefined)
        throw apiError("DEPENDENCY_AWAY", `Cannot rebuild from ${topic}/${partition}: it ends at ${at}, before the model's checkpoint ${end}`);
      const dead = await deadOffsets(sql, { consumer: consumerName, topic, partition, from: at });
      const records = read.filter(({ offset }) => offset < end && !dead.has(offset)).map((record) => ({ ...record, topic, partition }));
      const result = "begin" in sql ? await sql.begin((tx) => foldRideBatch(store, tx, records)) : await foldRideBatch(store, sql, records);
      for (const { record, reason } of result.dead)
        deps.context.logger.warn({ error: reason, topic, partition, offset: record.offset }, "a rebuild passes over a record");
      at = Math.min(last.offset + 1, end);
    }
  }
}

function scopeOf({ region }: RidesRebuildDeps, partition: number) {
  return { homeRegion: region, consumer: consumerName, topic: physicalTopic(region, "ride-events.v1"), partition };
}
