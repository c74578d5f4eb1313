/**
 * Pages of positions on their way to one ingest: filled, sent, and kept until each of their runs is answered. Bounded by
 * positions; one sweep looks for what waits too long, not a timer each.
 */
import { createPageDraft, type PageDraft, type PositionRun } from "@ridegrid/contracts";
import type { RejectedPosition } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import type { ForwardPositionsRequest, ForwardPositionsResponse } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { apiError } from "@ridegrid/rpc";
import { forwardTimeoutMs, forwardStreamTimeoutMs, pageSweepMs, positionsForwardedMax } from "./limits.ts";

export type Run = PositionRun & {
  /** Called once. */
  readonly settle: (fate: RunFate) => void;
};

/** `ackedSequence` is 0 while nothing of the driver is durable. What failed is not acknowledged. */
export type RunFate =
  | { readonly kind: "answered"; readonly ackedSequence: number; readonly rejected: readonly RejectedPosition[]; readonly superseded: boolean }
  | { readonly kind: "failed"; readonly error: unknown };

export interface PendingPages {
  /** Without pages nothing waits. */
  readonly size: number;
  ids(): readonly number[];
  has(pageId: number): boolean;
  /** What is to be sent; runs are added no more then. Undefined once it was answered or is late. */
  message(pageId: number): ForwardPositionsRequest | undefined;
  /** A new, empty page. */
  open(): number;
  /** How many positions the page has with this run; undefined when too many wait, and the run was told so. */
  add(pageId: number, run: Run): number | undefined;
  resolve(answer: ForwardPositionsResponse): void;
  rejectAll(error: unknown): void;
}

/** What is kept of a run: its positions are in the page. */
type Waiting = { readonly positions: number; readonly isOfStream: boolean; readonly settle: Run["settle"] };

type Page = {
  readonly openedAtMs: number;
  readonly runs: (Waiting | undefined)[];
  unanswered: number;
  content: { readonly draft: PageDraft } | { readonly message: ForwardPositionsRequest };
};

export function createPendingPages(): PendingPages {
  const pages = new Map<number, Page>();
  let lastPageId = 0;
  let positions = 0;
  let sweeper: ReturnType<typeof setTimeout> | undefined;

  function settle(pageId: number, page: Page, index: number, fate: RunFate): void {
    const run = page.runs[index];
    if (run === undefined) return;
    page.runs[index] = undefined;
    positions -= run.positions;
    if (--page.unanswered === 0) pages.delete(pageId);
    run.settle(fate);
  }

  function fail(pageId: number, page: Page, error: unknown, which: (run: Waiting) => boolean = () => true): void {
    page.runs.forEach((run, index) => {
      if (run !== undefined && which(run)) settle(pageId, page, index, { kind: "failed", error });
    });
  }

  /** Oldest first: pages are in the order in which they were opened. */
  function sweep(): void {
    const nowMs = performance.now();
    for (const [pageId, page] of pages) {
      const ageMs = nowMs - page.openedAtMs;
      if (ageMs < forwardTimeoutMs) break;
      // A stream can be told to wait, by not reading it; a call cannot.
      if (ageMs < forwardStreamTimeoutMs) fail(pageId, page, late(forwardTimeoutMs), (run) => !run.isOfStream);
      else fail(pageId, page, late(forwardStreamTimeoutMs));
    }
    sweeper = pages.size === 0 ? undefined : setTimeout(sweep, pageSweepMs);
  }

  return {
    get size() {
      return pages.size;
    },
    ids: () => [...pages.keys()],
    has: (pageId) => pages.has(pageId),
    message(pageId) {
      const page = pages.get(pageId);
      if (page === undefined) return undefined;
      if ("message" in page.content) return page.content.message;
      const message = page.content.draft.message(BigInt(pageId));
      page.content = { message };
      return message;
    },
    open() {
      const pageId = ++lastPageId;
      pages.set(pageId, { openedAtMs: performance.now(), runs: [], unanswered: 0, content: { draft: createPageDraft() } });
      sweeper ??= setTimeout(sweep, pageSweepMs);
      return pageId;
    },
    add(pageId, run) {
      const page = pages.get(pageId);
      if (page === undefined || "message" in page.content || positions >= positionsForwardedMax) {
        run.settle({ kind: "failed", error: apiError("OVERLOADED", `Cannot take more positions: ${positions} wait to be durable`) });
        return undefined;
      }
      positions += run.positions.length;
      page.runs.push({ positions: run.positions.length, isOfStream: run.streamId !== "", settle: run.settle });
      page.unanswered++;
      page.content.draft.add(run);
      return page.content.draft.rows;
    },
    resolve({ pageId: id, runs, durableSequences, supersededRuns, rejected }) {
      const pageId = Number(id);
      const page = pages.get(pageId);
      if (page === undefined) return;
      const rejectedOf = rejected.length === 0 ? undefined : rejectedIn(rejected);
      const superseded = supersededRuns.length === 0 ? undefined : new Set(supersededRuns);
      runs.forEach((run, index) =>
        settle(pageId, page, run, {
          kind: "answered",
          ackedSequence: durableSequences[index] ?? 0,
          rejected: rejectedOf?.get(run) ?? none,
          superseded: superseded?.has(run) ?? false,
        }),
      );
    },
    rejectAll(error) {
      for (const [pageId, page] of pages) fail(pageId, page, error);
    },
  };
}

const none: readonly RejectedPosition[] = [];

function rejectedIn(rejected: ForwardPositionsResponse["rejected"]): ReadonlyMap<number, readonly RejectedPosition[]> {
  const rejectedOf = new Map<number, RejectedPosition[]>();
  for (const { run, position } of rejected) {
    if (position === undefined) continue;
    const known = rejectedOf.get(run);
    if (known === undefined) rejectedOf.set(run, [position]);
    else known.push(position);
  }
  return rejectedOf;
}

function late(timeoutMs: number): Error {
  return apiError("DEPENDENCY_AWAY", `Positions were not durable within ${timeoutMs} ms`);
}
