/**
 * Runs the proposal consumer on every partition that this process holds the lease of, for every home region.
 *
 * A region whose log is away delays only itself. Proposals that the log no longer has are not missed: matching makes
 * new ones for rides that show no offer.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import type { Counter } from "@opentelemetry/api";
import { physicalTopic, timestampFromMs } from "@ridegrid/contracts";
import { DeadLetterRecordSchema } from "@ridegrid/contracts/gen/event/v1/events_pb";
import { appendOutbox, createLeaseKeeper, type DeadLetter, type EventLog, type Lease, type LeaseKeeper, runConsumer } from "@ridegrid/eventlog";
import type { ProcessContext, Sql } from "@ridegrid/runtime";
import { partitionsWithinReach } from "@ridegrid/spatial";
import type { ProposalDeps } from "./proposal.ts";
import { applyProposals } from "./proposal-consumer.ts";
import { databaseNowMs } from "./read-clock.postgres.ts";
import type { Tx } from "./tx.ts";

export const proposalConsumer = "assignment-coordinator";
const topic = "match-proposals.v1";

type ProposalIntakeDeps = {
  readonly context: ProcessContext;
  readonly sql: Sql;
  /** For leases only: a renewal must not queue behind work. */
  readonly leaseSql: Sql;
  readonly proposals: ProposalDeps;
  readonly eventLog: (region: string) => EventLog;
  readonly onCommit: (homeRegion: string) => void;
};

export function createProposalIntake(deps: ProposalIntakeDeps): LeaseKeeper {
  const { context, proposals } = deps;
  const running = new Map<Lease, Promise<unknown>>();
  const decided = context.meter.createCounter("coordinator_proposals", { description: "Match proposals by what became of them" });
  return createLeaseKeeper({
    context,
    sql: deps.leaseSql,
    consumer: proposalConsumer,
    wanted: partitionsOf(proposals),
    onGained: (lease) => void running.set(lease, consume(deps, lease, decided)),
    async onLost(lease) {
      await running.get(lease);
      running.delete(lease);
    },
  });
}

/** The partitions that a market uses or, after a takeover, may use: the others are empty. */
function partitionsOf({ regions }: ProposalDeps) {
  return regions.all.flatMap(({ id }) => partitionsWithinReach(regions, id).map((partition) => ({ homeRegion: id, partition })));
}

function consume({ context, sql, proposals, eventLog, onCommit }: ProposalIntakeDeps, lease: Lease, decided: Counter): Promise<unknown> {
  const { homeRegion, partition } = lease;
  return runConsumer({
    context,
    sql,
    lease,
    eventLog: eventLog(homeRegion),
    topics: [physicalTopic(homeRegion, topic)],
    async apply(tx, batch) {
      const { offers, releases, refused } = await applyProposals(tx, batch.records, proposals);
      decided.add(offers, { region: homeRegion, outcome: "offered" });
      decided.add(releases, { region: homeRegion, outcome: "released" });
      decided.add(refused, { region: homeRegion, outcome: "refused" });
    },
    onCommitted: () => onCommit(homeRegion),
    onDeadLetters: (tx, letters) => publishDeadLetters(tx, letters, proposals.ids.uuid),
    onGap: async () => (await eventLog(homeRegion).bounds(physicalTopic(homeRegion, topic), partition)).start,
  });
}

async function publishDeadLetters(tx: Tx, letters: readonly DeadLetter[], uuid: () => string): Promise<void> {
  const createTime = timestampFromMs(await databaseNowMs(tx));
  const names = await namesOf(tx, letters);
  const rows = letters.map(({ homeRegion, consumer, topic: from, partition, reason, attempts, record }) => {
    const id = names.get(record.offset) ?? uuid();
    const traceparent = record.headers["traceparent"] ?? "";
    const fields = {
      deadLetterId: id,
      consumer,
      topic: from,
      partition,
      offset: BigInt(record.offset),
      value: record.value,
      reason,
      attempts,
      createTime,
      traceparent,
    };
    const payload = toBinary(DeadLetterRecordSchema, create(DeadLetterRecordSchema, fields));
    return {
      homeRegion,
      topic: "dead-letters.v1",
      partition,
      key: record.key.replaceAll("\0", ""),
      eventId: id,
      payload,
      headers: { "event-id": id, type: "DeadLetterRecord" },
    };
  });
  await appendOutbox(tx, rows);
}

/** By offset: the copy on the topic has the name that operators list it by. All letters are of one partition. */
async function namesOf(tx: Tx, letters: readonly DeadLetter[]): Promise<ReadonlyMap<number, string>> {
  const [one] = letters;
  if (one === undefined) return new Map();
  const rows = await tx<{ offset: number; id: string }[]>`
    SELECT record_offset::float8 AS "offset", dead_letter_id AS id FROM dead_letter
    WHERE home_region = ${one.homeRegion} AND consumer = ${one.consumer} AND topic = ${one.topic} AND partition = ${one.partition}
      AND record_offset = ANY(${letters.map(({ record }) => record.offset)}::bigint[])`;
  return new Map(rows.map(({ offset, id }) => [offset, id]));
}
