/**
 * Folds the region's events into the read models: a lease for each partition with a market, the effect and its
 * checkpoint in one transaction, watchers woken after the commit.
 */
import { physicalTopic } from "@ridegrid/contracts";
import {
  type ConsumedBatch,
  createDeadLetterStore,
  createLeaseKeeper,
  type EventLog,
  type Lease,
  type LeaseLimits,
  OffsetAboveEnd,
  OffsetBelowStart,
  PoisonRecord,
  type Queryable,
  runConsumer,
} from "@ridegrid/eventlog";
import type { ProcessContext, Sql } from "@ridegrid/runtime";
import { consumerName } from "./consumer-name.ts";
import type { DriverStore } from "./driver-store.ts";
import { type DeadRecord, foldDriverBatch, type FoldResult, foldRideBatch } from "./fold-batch.ts";
import { createFoldMetrics } from "./fold-metrics.ts";
import { foldBatchBytesMax, foldBatchRecordsMax } from "./limits.ts";
import type { HotRides } from "./hot-rides.ts";
import type { RideStore, RideWrites } from "./ride-store.ts";
import type { Wakeups } from "./wakeups.ts";

export type FoldConsumerDeps = {
  readonly context: ProcessContext;
  readonly sql: Sql;
  /** A pool of its own with one connection, so that a renewal does not queue behind work. */
  readonly leaseSql: Sql;
  readonly region: string;
  readonly partitions: readonly number[];
  readonly eventLog: EventLog;
  readonly rides: RideStore;
  readonly drivers: DriverStore;
  readonly wakeups: Wakeups;
  readonly hotRides: HotRides;
  readonly leaseLimits?: Partial<LeaseLimits>;
};

export interface FoldConsumer {
  start(): Promise<void>;
  /** Finishes the batch in hand and gives the leases back. Safe to call twice. */
  stop(): Promise<void>;
  /** Whether this process holds the partition's lease. */
  isOurs(partition: number): boolean;
}

export function createFoldConsumer(deps: FoldConsumerDeps): FoldConsumer {
  const { context, region, partitions } = deps;
  const running = new Map<Lease, Promise<unknown>>();
  const metrics = createFoldMetrics(context, region, deps.rides);
  const keeper = createLeaseKeeper({
    context,
    sql: deps.leaseSql,
    consumer: consumerName,
    wanted: partitions.map((partition) => ({ homeRegion: region, partition })),
    onGained: (lease) => void running.set(lease, consume(deps, lease, metrics)),
    async onLost(lease) {
      await running.get(lease);
      running.delete(lease);
    },
    ...(deps.leaseLimits === undefined ? {} : { limits: deps.leaseLimits }),
  });
  return {
    async start() {
      await metrics.countParked();
      await keeper.start();
    },
    stop: () => keeper.stop(),
    isOurs: (partition) => keeper.held().some((lease) => lease.partition === partition),
  };
}

async function consume(deps: FoldConsumerDeps, lease: Lease, metrics: ReturnType<typeof createFoldMetrics>): Promise<void> {
  const { context, sql, eventLog, region, wakeups } = deps;
  const rideTopic = physicalTopic(region, "ride-events.v1");
  const driverTopic = physicalTopic(region, "driver-events.v1");
  // Only what is committed may be counted and told: a batch that rolls back is another batch when it comes again.
  const results = new WeakMap<ConsumedBatch, FoldResult & { readonly written: readonly RideWrites[] }>();
  await runConsumer({
    context,
    sql,
    lease,
    eventLog,
    topics: [rideTopic, driverTopic],
    limits: { batchRecordsMax: foldBatchRecordsMax, batchBytesMax: foldBatchBytesMax },
    async apply(tx, batch) {
      const records = batch.records.map((record) => ({ ...record, topic: batch.topic, partition: batch.partition }));
      const written: RideWrites[] = [];
      const rides: RideStore = { ...deps.rides, write: (to, writes) => (written.push(writes), deps.rides.write(to, writes)) };
      const result = batch.topic === rideTopic ? await foldRideBatch(rides, tx, records) : await foldDriverBatch(deps.drivers, tx, records);
      await putAside(tx, batch, result.dead);
      results.set(batch, { ...result, written });
    },
    onCommitted(batch) {
      const result = results.get(batch);
      if (result === undefined) return;
      result.written.forEach((writes) => deps.hotRides.folded(writes));
      for (const key of result.changed) wakeups.wake(key);
      metrics.folded(batch.topic, result);
    },
    async onGap(error) {
      if (error instanceof OffsetBelowStart) return error.start;
      // The log is another one than the checkpoint was made for: its events are deduplicated by their versions.
      if (error instanceof OffsetAboveEnd) return (await eventLog.bounds(error.topic, error.partition)).start;
      throw error;
    },
  });
}

/**
 * A record of this batch that can never apply is the consumer's to put aside. One that was parked by an earlier batch
 * is no longer in its hands: it is put aside here.
 */
async function putAside(tx: Queryable, batch: ConsumedBatch, dead: readonly DeadRecord[]): Promise<void> {
  const offsets = new Set(batch.records.map((record) => record.offset));
  for (const { record, reason } of dead) {
    if (offsets.has(record.offset)) throw new PoisonRecord(record.offset, String(reason), { cause: reason });
  }
  const { homeRegion, topic, partition } = batch;
  await createDeadLetterStore().put(
    tx,
    dead.map(({ record, reason }) => ({ homeRegion, consumer: consumerName, topic, partition, kind: "poison", reason: String(reason), attempts: 1, record })),
  );
}
