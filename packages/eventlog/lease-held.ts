/**
 * The leases that a process believes it holds: each with a timer that ends it when its renewal is late, and with the
 * work that must end before its partition is taken again. Knows no database.
 */
import type { HostContext } from "./dependencies.ts";
import type { AskedLease, LeaseRow } from "./lease-rows.ts";
import type { Lease, WantedLease } from "./lease.ts";

type Held = { readonly lease: Lease; readonly control: AbortController; lapseTimer: ReturnType<typeof setTimeout> | undefined };

export type HeldLeasesDeps = {
  readonly context: Pick<HostContext, "processId" | "logger">;
  readonly consumer: string;
  readonly leaseMs: number;
  readonly onGained: (lease: Lease) => void;
  readonly onLost: (lease: Lease) => Promise<void>;
};

export interface HeldLeases {
  all(): readonly Lease[];
  find(want: WantedLease): Lease | undefined;
  /** Whether the work of a lost lease has not ended yet. */
  isEnding(want: WantedLease): boolean;
  /** Takes in the database's answer to what was asked at `sentAt`: gained, renewed, or lost. */
  settle(asked: AskedLease, row: LeaseRow | undefined, sentAt: number): void;
  /** Tells the work of every lease to end, gains no more, and waits for all of it. Leases can still be renewed. */
  end(): Promise<void>;
  /** Forgets all, and answers what was held. */
  drain(): readonly Lease[];
}

export function createHeldLeases(deps: HeldLeasesDeps): HeldLeases {
  const { context, consumer, leaseMs } = deps;
  const held = new Map<string, Held>();
  const ending = new Map<string, Promise<void>>();
  let closing = false;

  function gain(row: LeaseRow, sentAt: number): void {
    // An answer that comes after the lease has lapsed, or after the stop, is left to lapse.
    if (closing || performance.now() - sentAt >= leaseMs) return;
    const control = new AbortController();
    const { homeRegion, partition, epoch } = row;
    const lease: Lease = { homeRegion, partition, consumer, owner: context.processId, epoch, signal: control.signal };
    const entry: Held = { lease, control, lapseTimer: undefined };
    held.set(keyOf(row), entry);
    extend(entry, sentAt);
    context.logger.info({ consumer, region: homeRegion, partition, epoch }, `Gained a lease of "${consumer}"`);
    deps.onGained(lease);
  }

  function extend(entry: Held, sentAt: number): void {
    clearTimeout(entry.lapseTimer);
    entry.lapseTimer = setTimeout(() => lose(entry, "its renewal is late"), Math.max(0, sentAt + leaseMs - performance.now()));
  }

  function lose(entry: Held, why: string): void {
    const { lease, control } = entry;
    const key = keyOf(lease);
    if (held.get(key) !== entry) return;
    clearTimeout(entry.lapseTimer);
    held.delete(key);
    context.logger.warn({ consumer, region: lease.homeRegion, partition: lease.partition, epoch: lease.epoch }, `Lost a lease of "${consumer}": ${why}`);
    control.abort(new Error(`The lease of "${consumer}" on ${key} was lost: ${why}`));
    // A stop has already asked for its end.
    if (!closing)
      ending.set(
        key,
        endWork(deps, lease).finally(() => ending.delete(key)),
      );
  }

  return {
    all: () => [...held.values()].map(({ lease }) => lease),
    find: (want) => held.get(keyOf(want))?.lease,
    isEnding: (want) => ending.has(keyOf(want)),
    settle(asked, row, sentAt) {
      const entry = held.get(keyOf(asked));
      if (entry && row?.epoch === entry.lease.epoch) extend(entry, sentAt);
      else if (entry) lose(entry, "another process took it over");
      else if (row && asked.epoch === null) gain(row, sentAt);
    },
    async end() {
      closing = true;
      const entries = [...held.values()];
      for (const { control } of entries) control.abort(new Error(`"${consumer}" is stopping`));
      await Promise.all([...entries.map(({ lease }) => endWork(deps, lease)), ...ending.values()]);
    },
    drain() {
      const leases = [...held.values()].map(({ lease }) => lease);
      for (const { lapseTimer } of held.values()) clearTimeout(lapseTimer);
      held.clear();
      return leases;
    },
  };
}

async function endWork({ context, consumer, onLost }: HeldLeasesDeps, lease: Lease): Promise<void> {
  try {
    await onLost(lease);
  } catch (error) {
    context.logger.error({ error, consumer }, `Cannot end the work of a lease of "${consumer}"`);
  }
}

function keyOf(want: WantedLease): string {
  return `${want.homeRegion}/${want.partition}`;
}
