/**
 * Relays the outbox to the log: every committed row, in order per key, at least once, each home region on its own.
 *
 * A batch is what is visible in one snapshot and was not in the one before (PgQ's idea), read in id order. Late commits
 * are therefore never skipped and order never breaks, which cursors by id, by xid or by SKIP LOCKED cannot say.
 * It reads the primary; a restored dump needs its cursors seeded again, because transaction ids restart.
 */
import type { HostContext, Pool } from "./dependencies.ts";
import type { EventLog } from "./event-log.ts";
import { assertLease, type OutboxBounds, outboxLimits, type RelayLimits, relayLimits } from "./limits.ts";
import { type OutboxBacklog, readOutboxBacklog } from "./outbox-depth.ts";
import { maintainOutboxPartitions } from "./outbox-partitions.ts";
import { createRegionRelay, type RegionRelay, type RelayState } from "./relay-region.ts";
import { pause, withDeadline } from "./waiting.ts";

export type RelayDeps = {
  readonly context: Pick<HostContext, "processId" | "random" | "logger" | "meter">;
  /** Its own small pool: a connection per region while a batch is read, and two. */
  readonly sql: Pool;
  /** Whose outbox it is, such as "assignment-coordinator"; names its measurements. */
  readonly writer: string;
  readonly regions: readonly string[];
  readonly eventLog: (region: string) => EventLog;
  readonly limits?: Partial<RelayLimits>;
  readonly bounds?: OutboxBounds;
};

export interface Relay {
  /** Makes the outbox's partitions for now, then begins. */
  start(): Promise<void>;
  /** Call after a commit that wrote outbox rows of the region: relays at once instead of at the next look. */
  poke(region: string): void;
  /** Waits for the pages that are on their way and gives its leases back. Safe to call twice. */
  stop(): Promise<void>;
  states(): readonly RelayState[];
  /** What was measured last, at most two seconds ago while the database answers. `full`: refuse new rides. */
  backlog(): OutboxBacklog;
}

export function createRelay(deps: RelayDeps): Relay {
  const { context, sql } = deps;
  const limits = { ...relayLimits, ...deps.limits };
  assertLease("relay", limits);
  const stopping = new AbortController();
  const regions = new Map<string, RegionRelay>(
    deps.regions.map((region) => [region, createRegionRelay({ context, sql, homeRegion: region, eventLog: deps.eventLog(region), limits })]),
  );
  const depth = context.meter.createGauge("outbox_rows", { description: "Outbox rows not yet in the log, by home region" });
  const age = context.meter.createGauge("outbox_oldest_age_ms", { description: "Age of the oldest of them, milliseconds" });
  let backlog: OutboxBacklog = { regions: [], bytes: 0, full: false };
  let work: Promise<unknown> = Promise.resolve();

  async function measure(): Promise<void> {
    backlog = await withDeadline("measure the outbox", limits.statementMs, readOutboxBacklog(sql, deps.bounds));
    for (const region of backlog.regions) {
      const attributes = { writer: deps.writer, region: region.homeRegion };
      depth.record(region.rows, attributes);
      age.record(region.oldestAgeMs, attributes);
    }
  }

  /** A task may take a tenth of the time at most: counting a large backlog must not slow its draining. */
  async function every(ms: number, what: string, task: () => Promise<unknown>): Promise<void> {
    for (let tookMs = 0; !stopping.signal.aborted;) {
      await pause(Math.max(ms, tookMs * 10), stopping.signal);
      if (stopping.signal.aborted) return;
      const beganAt = performance.now();
      await task().catch((error: unknown) => context.logger.warn({ error }, `Cannot ${what}; trying again`));
      tookMs = performance.now() - beganAt;
    }
  }

  return {
    async start() {
      await maintainOutboxPartitions(sql);
      work = Promise.all([
        ...[...regions.values()].map((region) => region.run(stopping.signal)),
        every(outboxLimits.maintainEveryMs, "maintain the outbox's partitions", () => maintainOutboxPartitions(sql)),
        every(outboxLimits.depthEveryMs, "measure the outbox", measure),
      ]);
    },
    poke: (region) => regions.get(region)?.poke(),
    async stop() {
      stopping.abort(new Error("The relay is stopping"));
      await work;
    },
    states: () => [...regions.values()].map((region) => region.state()),
    backlog: () => backlog,
  };
}
