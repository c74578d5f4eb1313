/** `GetWorkerHealth`: lags, leases and outbox as this worker sees them. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@ridegrid/contracts";
import { type GetWorkerHealthResponse, GetWorkerHealthResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import type { OutboxBacklog } from "@ridegrid/eventlog";
import type { Sql } from "@ridegrid/runtime";
import { healthStatementMs } from "../limits.ts";
import type { MarketSession } from "../market-session.ts";

export type WorkerFacts = {
  readonly name: string;
  readonly region: string;
  readonly consumer: string;
  readonly startTimeMs: number;
  readonly detail: string;
  readonly sessions: readonly MarketSession[];
  readonly backlog: OutboxBacklog;
  readonly sql: Sql;
};

export async function workerHealth(facts: WorkerFacts): Promise<GetWorkerHealthResponse> {
  const { name, region, consumer, startTimeMs, detail } = facts;
  const stored = await readStored(facts);
  const outbox = facts.backlog.regions.find((one) => one.homeRegion === region);
  const consumers = facts.sessions.flatMap((session) =>
    session.followers.map(({ topic, partition, nextOffset }) => {
      const lag = session.lags.get(topic) ?? 0;
      return {
        region,
        consumer,
        topic: topic.slice(region.length + 1),
        partition,
        nextOffset: BigInt(nextOffset),
        endOffset: BigInt(nextOffset + lag),
        lag: BigInt(lag),
      };
    }),
  );
  return create(GetWorkerHealthResponseSchema, {
    health: {
      consumers,
      outboxes: [
        {
          writer: "matching-worker",
          region,
          depth: BigInt(outbox?.rows ?? 0),
          oldestAgeMs: BigInt(Math.round(outbox?.oldestAgeMs ?? 0)),
          owner: stored.cursor?.owner ?? "",
          epoch: BigInt(stored.cursor?.epoch ?? 0),
        },
      ],
      leases: stored.leases.map(({ partition, owner, epoch, expiresInMs }) => ({
        region,
        consumer,
        partition,
        owner: owner ?? "",
        epoch: BigInt(epoch),
        expiresInMs: BigInt(Math.round(expiresInMs)),
      })),
      processes: [{ name, region, ready: detail === "", detail, startTime: timestampFromMs(startTimeMs) }],
    },
  });
}

type LeaseRow = { readonly partition: number; readonly owner: string | null; readonly epoch: number; readonly expiresInMs: number };
type CursorRow = { readonly owner: string | null; readonly epoch: number };

/** Leases of other processes too: a partition that nobody holds must show. */
async function readStored({ sql, region, consumer }: WorkerFacts): Promise<{ readonly leases: readonly LeaseRow[]; readonly cursor: CursorRow | undefined }> {
  return sql.begin("READ ONLY", async (tx) => {
    await tx.unsafe(`SET LOCAL statement_timeout = ${healthStatementMs}`);
    const leases = await tx<LeaseRow[]>`
      SELECT partition, owner, epoch::float8 AS epoch,
        coalesce(extract(epoch FROM nullif(lease_until, '-infinity') - clock_timestamp()) * 1000, -1)::float8 AS "expiresInMs"
      FROM lease WHERE home_region = ${region} AND consumer = ${consumer} ORDER BY partition`;
    const [cursor] = await tx<CursorRow[]>`SELECT owner, epoch::float8 AS epoch FROM outbox_cursor WHERE home_region = ${region}`;
    return { leases, cursor };
  });
}
