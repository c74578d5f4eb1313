/**
 * How far a relay is in its region's outbox: in memory after every batch, in the cursor's row now and then.
 *
 * What is not stored when a process dies is sent again by the next one, from the stored place and in the same order: order
 * and completeness never rest on a write. Only a place inside a batch, `lastId`, needs the batch's end stored with it.
 */
import type { BatchWindow, RelayCursor, Tenure } from "./relay-cursor.ts";

export class Fenced extends Error {
  override readonly name = "Fenced";
}

export interface RelayPosition {
  /** The snapshot up to which everything is in the log. */
  from(): string;
  /** Everything up to `to` is in the log. Stores that when rows were sent and the last write is `moveEveryMs` ago. @throws Fenced. */
  passed(to: string, rows: number): Promise<void>;
  /** Begins to store a place inside a batch, once the write before has ended: the next page need not wait. @throws Fenced. */
  within(window: BatchWindow): Promise<void>;
  /** Stores what is not yet stored. @throws Fenced. */
  store(): Promise<void>;
}

export type RelayPositionDeps = { readonly cursor: RelayCursor; readonly tenure: Tenure; readonly from: string; readonly moveEveryMs: number };

export function createRelayPosition({ cursor, tenure, from: first, moveEveryMs }: RelayPositionDeps): RelayPosition {
  let from = first;
  let unstored = false;
  let movedAtMs = Number.NEGATIVE_INFINITY;
  let moving: Promise<void> = Promise.resolve();

  async function move(window: BatchWindow): Promise<void> {
    movedAtMs = performance.now();
    if (!(await cursor.move(tenure, window))) throw new Fenced();
  }

  async function store(): Promise<void> {
    await moving;
    if (!unstored) return;
    await move({ from, to: null, lastId: 0 });
    unstored = false;
  }

  return {
    from: () => from,
    async passed(to, rows) {
      from = to;
      unstored ||= rows > 0;
      if (performance.now() - movedAtMs >= moveEveryMs) await store();
    },
    async within(window) {
      await moving;
      unstored = false;
      moving = move(window);
      // Whoever waits for it next is told.
      moving.catch(() => {});
    },
    store,
  };
}
