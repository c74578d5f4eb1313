/**
 * The relay of one home region: takes its lease, sends batch after batch while it holds it, and waits without writing
 * when there is nothing. A log that is away keeps the batch and delays this region only.
 *
 * A zombie (paused for longer than its lease) can only repeat rows that the new owner repeats too, each in order.
 */
import type { HostContext, Pool } from "./dependencies.ts";
import type { EventLog } from "./event-log.ts";
import type { RelayLimits } from "./limits.ts";
import { type BatchWindow, createRelayCursor, type RelayCursor, type Tenure } from "./relay-cursor.ts";
import { createRelayPosition, Fenced, type RelayPosition } from "./relay-position.ts";
import { createBatchSender, type OutboxBatch } from "./relay-send.ts";
import { createRelayWake, type RelayWake } from "./relay-wake.ts";
import { pause, retryDelayMs, withDeadline } from "./waiting.ts";

export type RelayState = {
  readonly region: string;
  readonly owner: boolean;
  readonly rowsSent: number;
  readonly takeovers: number;
  readonly fenced: number;
  /** The last failure while it lasts; empty when the relay works or waits. */
  readonly failing: string;
};

export interface RegionRelay {
  run(stopping: AbortSignal): Promise<void>;
  poke(): void;
  state(): RelayState;
}

export type RegionRelayDeps = {
  readonly context: Pick<HostContext, "processId" | "random" | "logger">;
  readonly sql: Pool;
  readonly homeRegion: string;
  readonly eventLog: EventLog;
  readonly limits: RelayLimits;
};

export function createRegionRelay(deps: RegionRelayDeps): RegionRelay {
  const { context, sql, homeRegion, limits } = deps;
  const cursor = deadlined(createRelayCursor(sql, limits.leaseMs), limits.statementMs);
  const wake = createRelayWake();
  let state: RelayState = { region: homeRegion, owner: false, rowsSent: 0, takeovers: 0, fenced: 0, failing: "" };
  const change = (next: Partial<RelayState>): void => {
    state = { ...state, ...next };
  };

  async function run(stopping: AbortSignal): Promise<void> {
    for (let failures = 0; !stopping.aborted;) {
      try {
        const taken = await cursor.take(homeRegion, context.processId);
        failures = 0;
        if (taken) await serve(taken, stopping);
        else await pause(limits.renewMs, stopping);
      } catch (error) {
        change({ owner: false, failing: String(error) });
        context.logger.warn({ error, region: homeRegion }, `Cannot relay region "${homeRegion}"; trying again`);
        await pause(retryDelayMs(failures++, limits, context.random), stopping);
      }
    }
  }

  /** From taking the lease to losing it, giving it back, or a fault of the database. */
  async function serve(taken: Tenure & BatchWindow, stopping: AbortSignal): Promise<void> {
    change({ owner: true, takeovers: state.takeovers + 1, failing: "" });
    const lost = new AbortController();
    const signal = AbortSignal.any([lost.signal, stopping]);
    const renew = async (): Promise<void> => {
      if (!(await cursor.renew(taken))) lost.abort(new Fenced());
    };
    // A renewal that fails is followed by another; the cursor's own moves renew too.
    const renewal = setInterval(() => void renew().catch(() => {}), limits.renewMs);
    try {
      await sendBatches({ ...deps, cursor, wake, state: () => state, change }, taken, signal);
    } catch (error) {
      if (error instanceof Fenced) lost.abort(error);
      else if (!signal.aborted) throw error;
    } finally {
      clearInterval(renewal);
      change({ owner: false });
    }
    if (!lost.signal.aborted) return void (await cursor.release(taken));
    change({ fenced: state.fenced + 1 });
    context.logger.info({ region: homeRegion, epoch: taken.epoch }, `The relay of region "${homeRegion}" was taken over`);
  }

  return { run, poke: wake.poke, state: () => state };
}

type SendingDeps = RegionRelayDeps & {
  readonly cursor: RelayCursor;
  readonly wake: RelayWake;
  readonly state: () => RelayState;
  readonly change: (next: Partial<RelayState>) => void;
};

/** Batch after batch until the signal aborts; then stores how far it is. @throws Fenced when the epoch has ended. */
async function sendBatches(deps: SendingDeps, taken: Tenure & BatchWindow, signal: AbortSignal): Promise<void> {
  const { cursor, change, state, limits } = deps;
  const position = createRelayPosition({ cursor, tenure: taken, from: taken.from, moveEveryMs: limits.moveEveryMs });
  const sendBatch = createBatchSender({
    ...deps,
    async onPageSent({ rows, lastId, more }, { from, to }) {
      change({ rowsSent: state().rowsSent + rows, failing: "" });
      if (more) await position.within({ from, to, lastId });
    },
    onLogFailure: (cause) => change({ failing: String(cause) }),
  });
  try {
    // A batch that was begun is finished as it was fixed: what `lastId` says holds for no other.
    let batch = taken.to === null ? undefined : { from: taken.from, to: taken.to, lastId: taken.lastId };
    for (;;) {
      batch ??= await nextBatch(deps, taken, position, signal);
      if (batch === undefined) break;
      await position.passed(batch.to, await sendBatch(batch, signal));
      batch = undefined;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  await position.store();
}

/** Waits until there is something. */
async function nextBatch(
  { cursor, wake, limits }: SendingDeps,
  tenure: Tenure,
  position: RelayPosition,
  signal: AbortSignal,
): Promise<OutboxBatch | undefined> {
  for (let idleMs = limits.idlePollMs; !signal.aborted;) {
    const from = position.from();
    const seen = await cursor.look(tenure, from);
    if (seen === undefined) throw new Fenced();
    if (seen.found) return { from, to: seen.to, lastId: 0 };
    await position.passed(seen.to, 0);
    if (!(await wake.wait(idleMs, signal))) idleMs = Math.min(limits.idlePollMaxMs, idleMs * 1.25);
  }
  return undefined;
}

function deadlined(cursor: RelayCursor, ms: number): RelayCursor {
  const bound = <T>(work: Promise<T>): Promise<T> => withDeadline("move the outbox cursor", ms, work);
  return {
    take: (region, owner) => bound(cursor.take(region, owner)),
    renew: (tenure) => bound(cursor.renew(tenure)),
    move: (tenure, window) => bound(cursor.move(tenure, window)),
    release: (tenure) => bound(cursor.release(tenure)),
    look: (tenure, from) => bound(cursor.look(tenure, from)),
  };
}
