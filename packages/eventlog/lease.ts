/**
 * Keeps the leases of one consumer in one process: takes what is free, renews what it holds by one statement, and tells
 * of each gain and loss. The clock is the database's; the epoch grows with each gain and fences what the holder writes.
 *
 * It also fences itself: a lease whose renewal is late counts as lost here no later than it lapses there.
 */
import type { HostContext, Pool } from "./dependencies.ts";
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

type Held = { readonly lease: Lease; readonly control: AbortController; lapseTimer: ReturnType<typeof setTimeout> };
type Row = WantedLease & { readonly epoch: number };

export function createLeaseKeeper(deps: LeaseKeeperDeps): LeaseKeeper {
  const { context, sql, consumer, wanted } = deps;
  const limits = { ...leaseLimits, ...deps.limits };
  assertLease("lease", limits);
  const owner = context.processId;
  const held = new Map<string, Held>();
  /** Work that still ends after a loss; its partition is not taken again before. */
  const ending = new Map<string, Promise<void>>();
  const stopped = new AbortController();
  let stopping: Promise<void> | undefined;
  let loop: Promise<void> = Promise.resolve();

  async function tick(): Promise<void> {
    const sentAt = performance.now();
    const asked = wanted
      .filter((want) => held.has(keyOf(want)) || (!stopping && !ending.has(keyOf(want))))
      .map((want) => ({ ...want, epoch: held.get(keyOf(want))?.lease.epoch ?? null }));
    if (asked.length === 0) return;
    const answer = renewAndTake(sql, { consumer, owner, leaseMs: limits.leaseMs, asked });
    const rows = await withDeadline(`renew the leases of "${consumer}"`, limits.statementMs, answer);
    const kept = new Map(rows.map((row) => [keyOf(row), row]));
    for (const want of asked) {
      const row = kept.get(keyOf(want));
      const mine = held.get(keyOf(want));
      if (mine && (!row || row.epoch !== mine.lease.epoch)) lose(mine.lease, "another process took it over");
      else if (mine) armLapse(mine, sentAt);
      else if (row && want.epoch === null) gain(row, sentAt);
    }
  }

  function gain(row: Row, sentAt: number): void {
    // An answer that comes after the lease has lapsed, or after the stop, is left to lapse.
    if (stopping || performance.now() - sentAt >= limits.leaseMs) return;
    const control = new AbortController();
    const lease: Lease = { homeRegion: row.homeRegion, partition: row.partition, consumer, owner, epoch: row.epoch, signal: control.signal };
    const entry: Held = { lease, control, lapseTimer: setTimeout(() => {}, 0) };
    held.set(keyOf(row), entry);
    armLapse(entry, sentAt);
    context.logger.info({ consumer, region: row.homeRegion, partition: row.partition, epoch: row.epoch }, `Gained a lease of "${consumer}"`);
    deps.onGained(lease);
  }

  function armLapse(entry: Held, sentAt: number): void {
    clearTimeout(entry.lapseTimer);
    entry.lapseTimer = setTimeout(() => lose(entry.lease, "its renewal is late"), Math.max(0, sentAt + limits.leaseMs - performance.now()));
  }

  function lose(lease: Lease, why: string): void {
    const key = keyOf(lease);
    const entry = held.get(key);
    if (entry?.lease !== lease) return;
    clearTimeout(entry.lapseTimer);
    held.delete(key);
    context.logger.warn({ consumer, region: lease.homeRegion, partition: lease.partition, epoch: lease.epoch }, `Lost a lease of "${consumer}": ${why}`);
    entry.control.abort(new Error(`The lease of "${consumer}" on ${key} was lost: ${why}`));
    // A stop has already asked for its end.
    if (!stopping) ending.set(key, endWork(lease).finally(() => ending.delete(key)));
  }

  async function endWork(lease: Lease): Promise<void> {
    try {
      await deps.onLost(lease);
    } catch (error) {
      context.logger.error({ error, consumer }, `Cannot end the work of a lease of "${consumer}"`);
    }
  }

  async function run(): Promise<void> {
    while (!stopped.signal.aborted) {
      await tick().catch((error: unknown) => context.logger.warn({ error, consumer }, `Cannot renew the leases of "${consumer}"; trying again`));
      await pause(limits.renewMs, stopped.signal);
    }
  }

  /** Leases are renewed until their work has ended, then given back in one statement. */
  async function shutDown(): Promise<void> {
    const leases = [...held.values()];
    for (const { control } of leases) control.abort(new Error(`"${consumer}" is stopping`));
    await Promise.all([...leases.map(({ lease }) => endWork(lease)), ...ending.values()]);
    stopped.abort();
    await loop;
    for (const { lapseTimer } of held.values()) clearTimeout(lapseTimer);
    const given = [...held.values()].map(({ lease }) => lease);
    held.clear();
    // A database that is away now lets them lapse instead.
    if (given.length > 0) await withDeadline(`release the leases of "${consumer}"`, limits.statementMs, release(sql, given)).catch(() => {});
  }

  return {
    async start() {
      await ensureRows(sql, consumer, wanted);
      await tick();
      loop = pause(limits.renewMs, stopped.signal).then(run);
    },
    stop: () => (stopping ??= shutDown()),
    held: () => [...held.values()].map(({ lease }) => lease),
  };
}

function keyOf(want: WantedLease): string {
  return `${want.homeRegion}/${want.partition}`;
}

async function ensureRows(sql: Pool, consumer: string, wanted: readonly WantedLease[]): Promise<void> {
  await sql`
    INSERT INTO lease (home_region, consumer, partition)
    SELECT home_region, ${consumer}::text, partition FROM ${recordset(sql, wanted)}
    ORDER BY 1, 3 ON CONFLICT DO NOTHING`;
}

type Ask = { readonly consumer: string; readonly owner: string; readonly leaseMs: number; readonly asked: readonly (WantedLease & { readonly epoch: number | null })[] };

/** Renews what is asked for with an epoch that still stands, takes what is asked for without one and has lapsed. Locks in key order. */
async function renewAndTake(sql: Pool, { consumer, owner, leaseMs, asked }: Ask): Promise<readonly Row[]> {
  return await sql<Row[]>`
    WITH mine AS (
      SELECT l.home_region, l.partition, w.epoch IS NULL AS gained
      FROM lease l JOIN ${recordset(sql, asked)} USING (home_region, partition)
      WHERE l.consumer = ${consumer}
        AND CASE WHEN w.epoch IS NULL THEN l.lease_until < clock_timestamp() ELSE l.owner = ${owner} AND l.epoch = w.epoch END
      ORDER BY l.home_region, l.partition FOR UPDATE OF l
    )
    UPDATE lease l SET owner = ${owner}, epoch = l.epoch + gained::integer, lease_until = clock_timestamp() + ${leaseMs}::float8 * interval '1 ms'
    FROM mine WHERE l.consumer = ${consumer} AND l.home_region = mine.home_region AND l.partition = mine.partition
    RETURNING l.home_region AS "homeRegion", l.partition, l.epoch::float8 AS epoch`;
}

async function release(sql: Pool, leases: readonly Lease[]): Promise<void> {
  const [first] = leases;
  if (!first) return;
  await sql`
    UPDATE lease l SET owner = NULL, lease_until = 'epoch' FROM ${recordset(sql, leases)}
    WHERE l.consumer = ${first.consumer} AND l.home_region = w.home_region AND l.partition = w.partition AND l.owner = ${first.owner} AND l.epoch = w.epoch`;
}

function recordset(sql: Pool, leases: readonly (WantedLease & { readonly epoch?: number | null })[]) {
  const rows = leases.map(({ homeRegion, partition, epoch }) => ({ home_region: homeRegion, partition, epoch: epoch ?? null }));
  return sql`jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) AS w(home_region text, partition integer, epoch bigint)`;
}
