/** The coordinator's part of the pipeline's health: its consumers' lag, outbox, leases (matching's too) and process. */
import { physicalTopic } from "@ridegrid/contracts";
import type { EventLog, OutboxBacklog } from "@ridegrid/eventlog";
import type { Sql } from "@ridegrid/runtime";
import { proposalConsumer } from "./proposal-intake.ts";

type ConsumerLag = {
  readonly region: string;
  readonly consumer: string;
  readonly topic: string;
  readonly partition: number;
  readonly nextOffset: bigint;
  readonly endOffset: bigint;
  readonly lag: bigint;
};

type LeaseRow = { region: string; consumer: string; partition: number; owner: string; epoch: number; expiresInMs: number };

export async function readLeases(sql: Sql) {
  // Before matching's first start its table is not there.
  const [known] = await sql<{ matching: boolean }[]>`SELECT to_regclass('matching.lease') IS NOT NULL AS matching`;
  const matching = known?.matching === true ? sql`UNION ALL SELECT * FROM matching.lease` : sql``;
  const rows = await sql<LeaseRow[]>`
    SELECT home_region AS region, consumer, partition, coalesce(owner, '') AS owner, epoch::float8 AS epoch,
      CASE WHEN owner IS NULL THEN 0 ELSE floor(extract(epoch FROM lease_until - clock_timestamp()) * 1000)::float8 END AS "expiresInMs"
    FROM (SELECT * FROM lease ${matching}) both_writers ORDER BY 1, 2, 3`;
  return rows.map((row) => ({ ...row, epoch: BigInt(row.epoch), expiresInMs: BigInt(row.expiresInMs) }));
}

export async function readOutboxes(sql: Sql, writer: string, backlog: OutboxBacklog) {
  const cursors = await sql<{ region: string; owner: string; epoch: number }[]>`
    SELECT home_region AS region, coalesce(owner, '') AS owner, epoch::float8 AS epoch FROM outbox_cursor ORDER BY 1`;
  return cursors.map(({ region, owner, epoch }) => {
    const depth = backlog.regions.find(({ homeRegion }) => homeRegion === region);
    return { writer, region, owner, epoch: BigInt(epoch), depth: BigInt(depth?.rows ?? 0), oldestAgeMs: BigInt(Math.round(depth?.oldestAgeMs ?? 0)) };
  });
}

/** A region whose log does not answer is named instead of measured. */
export async function readLag(
  sql: Sql,
  eventLog: (region: string) => EventLog,
  regions: readonly string[],
): Promise<{ readonly consumers: readonly ConsumerLag[]; readonly missingRegions: readonly string[] }> {
  const rows = await sql<{ region: string; topic: string; partition: number; nextOffset: number }[]>`
    SELECT home_region AS region, topic, partition, next_offset::float8 AS "nextOffset" FROM checkpoint WHERE consumer = ${proposalConsumer} ORDER BY 1, 2, 3`;
  const measured = await Promise.all(
    regions.map(async (region) => {
      const mine = rows.filter((row) => row.region === region && row.topic === physicalTopic(region, "match-proposals.v1"));
      const lags = await Promise.all(mine.map((row) => lagOf(row, eventLog(region)))).catch(() => null);
      return { region, lags };
    }),
  );
  return {
    consumers: measured.flatMap(({ lags }) => lags ?? []),
    missingRegions: measured.flatMap(({ region, lags }) => (lags === null ? [region] : [])),
  };
}

async function lagOf(row: { region: string; topic: string; partition: number; nextOffset: number }, log: EventLog): Promise<ConsumerLag> {
  const { end } = await log.bounds(row.topic, row.partition);
  const { region, topic, partition, nextOffset } = row;
  return {
    region,
    consumer: proposalConsumer,
    // As every other consumer tells it: the region stands beside.
    topic: topic.slice(region.length + 1),
    partition,
    nextOffset: BigInt(nextOffset),
    endOffset: BigInt(end),
    lag: BigInt(Math.max(0, end - nextOffset)),
  };
}
