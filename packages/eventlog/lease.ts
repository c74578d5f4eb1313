/**
 * Keeps the leases of one consumer in one process: takes what is free, renews what it holds by one statement, and tells
 * of each gain and loss. The clock is the database's; the epoch grows with each gain and fences what the holder writes.
 *
 * It also fences itself: a lease whose renewal is late counts as lost here no later than it lapses there.
 */
import type { HostContext, Pool } from "./dependencies.ts";
import { createHeldLeases } from "./lease-held.ts";
import { type AskedLease, ensureLeaseRows, releaseLeases, renewAndTakeLeases } from "./lease-rows.ts";
import { assertLease, type LeaseLimits, leaseLimits } from "./limits.ts";
import { pause, withDeadline } from "./waiting.ts";

export type WantedLease = { readonly homeRegion: string; readonly partition: number };

export type Lease = WantedLease & {
  readonly consumer: string;
  readonly owner: string;
  readonly epoch: number;
  /** Aborts when the lease is lost and when the keeper stops. */
  readonly signal: AbortSignal;
};

export type LeaseKeeperDeps = {
  readonly context: Pick<HostContext, "processId" | "logger">;
  /** A pool of its own with one connection: a renewal must not queue behind work. */
  readonly sql: Pool;
  readonly consumer: string;
  readonly wanted: readonly WantedLease[];
  /** Called at each gain; begins the work and returns. */
  readonly onGained: (lease: Lease) => void;
  /** Called at each loss and at a stop, after `lease.signal` aborted; resolves when the work has ended. */
  readonly onLost: (lease: Lease) => Promise<void>;
  readonly limits?: Partial<LeaseLimits>;
};

export interface LeaseKeeper {
  start(): Promise<void>;
  /** Ends the work, then gives the leases back: the next owner has them within one renewal. Safe to call twice. */
  stop(): Promise<void>;
  held(): readonly Lease[];
}

export function createLeaseKeeper(deps: LeaseKeeperDeps): LeaseKeeper {
  const { context, sql, consumer, wanted } = deps;
  const limits = { ...leaseLimits, ...deps.limits };
  assertLease("lease", limits);
  const leases = createHeldLeases({ ...deps, leaseMs: limits.leaseMs });
  const stopped = new AbortController();
  let stopping: Promise<void> | undefined;
  let loop: Promise<void> = Promise.resolve();

  async function tick(): Promise<void> {
    const sentAt = performance.now();
    const asked = wanted.flatMap((want): readonly AskedLease[] => {
      const mine = leases.find(want);
      if (mine) return [{ ...want, epoch: mine.epoch }];
      return stopping || leases.isEnding(want) ? [] : [{ ...want, epoch: null }];
    });
    if (asked.length === 0) return;
    const answer = renewAndTakeLeases(sql, { consumer, owner: context.processId, leaseMs: limits.leaseMs, asked });
    const rows = await withDeadline(`renew the leases of "${consumer}"`, limits.statementMs, answer);
    for (const want of asked) {
      const row = rows.find(({ homeRegion, partition }) => homeRegion === want.homeRegion && partition === want.partition);
      leases.settle(want, row, sentAt);
    }
  }

  /** One that fails is no fault: the next one follows, and what is held meanwhile counts as lost in time. */
  async function tryTick(): Promise<void> {
    await tick().catch((error: unknown) => context.logger.warn({ error, consumer }, `Cannot renew the leases of "${consumer}"; trying again`));
  }

  async function run(): Promise<void> {
    while (!stopped.signal.aborted) {
      await pause(limits.renewMs, stopped.signal);
      if (stopped.signal.aborted) return;
      await tryTick();
    }
  }

  /** Leases are renewed until their work has ended, then given back in one statement. */
  async function shutDown(): Promise<void> {
    await leases.end();
    stopped.abort();
    await loop;
    const given = leases.drain();
    // A database that is away now lets them lapse instead.
    if (given.length > 0) await withDeadline(`release the leases of "${consumer}"`, limits.statementMs, releaseLeases(sql, given)).catch(() => {});
  }

  return {
    async start() {
      await ensureLeaseRows(sql, consumer, wanted);
      await tryTick();
      loop = run();
    },
    stop: () => (stopping ??= shutDown()),
    held: leases.all,
  };
}
