/**
 * Rebuilds as they are asked for: one at a time in a region, each request id done once, and one that takes longer than
 * a call goes on after it.
 */
import { apiError } from "@ridegrid/rpc";
import { rebuildAnswerMs } from "./limits.ts";
import { type RebuildRequest, type RebuildResult, rebuildRides, type RidesRebuildDeps } from "./rides-rebuild.ts";

export interface Rebuilds {
  /** Null while it goes on: ask again with the same request. */
  run(request: RebuildRequest): Promise<RebuildResult | null>;
  /** Gives up what is under way; nothing of it is swapped in. */
  stop(): Promise<void>;
}

export function createRebuilds(deps: RidesRebuildDeps): Rebuilds {
  const running = new Map<string, Promise<RebuildResult>>();
  const stopping = new AbortController();

  function start(request: RebuildRequest): Promise<RebuildResult> {
    const rebuild = rebuildRides(deps, request, stopping.signal).finally(() => running.delete(request.requestId));
    rebuild.catch((error: unknown) => deps.context.logger.error({ error, region: deps.region }, "a rebuild failed; the live model stays"));
    running.set(request.requestId, rebuild);
    return rebuild;
  }

  return {
    async run(request) {
      const done = await finished(deps, request);
      if (done !== null) return done;
      const answer = Promise.withResolvers<null>();
      const timer = setTimeout(() => answer.resolve(null), rebuildAnswerMs);
      try {
        return await Promise.race([running.get(request.requestId) ?? start(request), answer.promise]);
      } finally {
        clearTimeout(timer);
      }
    },
    async stop() {
      stopping.abort(new Error("the process is stopping"));
      await Promise.allSettled(running.values());
    },
  };
}

/** @throws REQUEST_ID_REUSED when the id was another rebuild's. */
async function finished({ sql, region }: RidesRebuildDeps, { requestId, principal }: RebuildRequest): Promise<RebuildResult | null> {
  const [row] = await sql<(RebuildResult & { readonly ofRegion: string; readonly by: string })[]>`
    SELECT home_region AS "ofRegion", principal AS by, hash_before AS "hashBefore", hash_after AS "hashAfter", rides::float8 AS rides, started_from AS "startedFrom"
    FROM rebuild WHERE request_id = ${requestId}`;
  if (row === undefined) return null;
  if (row.ofRegion !== region || row.by !== principal)
    throw apiError("REQUEST_ID_REUSED", `Cannot rebuild: request id "${requestId}" was used for another rebuild`);
  const { hashBefore, hashAfter, rides, startedFrom } = row;
  return { hashBefore, hashAfter, rides, startedFrom };
}
