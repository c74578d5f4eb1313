/**
 * Pages of positions on their way to one ingest: filled, sent, and kept until each of their runs is answered. Bounded by
 * positions; one sweep looks for what waits too long, not a timer each.
 */
import { create } from "@bufbuild/protobuf";
import { appendRun, type PositionRun } from "@ridegrid/contracts";
import type { RejectedPosition } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { type ForwardPositionsRequest, ForwardPositionsRequestSchema, type ForwardPositionsResponse } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { apiError } from "@ridegrid/rpc";
import { forwardTimeoutMs, forwardStreamTimeoutMs, pageSweepMs, positionsForwardedMax } from "./limits.ts";

export type Run = PositionRun & {
  /** Called once. */
  readonly settle: (fate: RunFate) => void;
};

/** `ackedSequence` is 0n while nothing of the driver is durable. What failed is not acknowledged. */
export type RunFate =
  | { readonly kind: "answered"; readonly ackedSequence: bigint; readonly rejected: readonly RejectedPosition[]; readonly superseded: boolean }
  | { readonly kind: "failed"; readonly error: unknown };

export interface PendingPages {
  /** Without pages nothing waits. */
  readonly size: number;
  ids(): readonly bigint[];
  /** Undefined once it was answered or is late. */
  get(pageId: bigint): ForwardPositionsRequest | undefined;
  /** A new, empty page. */
  open(): bigint;
  /** How many positions the page has with this run; undefined when too many wait, and the run was told so. */
  add(pageId: bigint, run: Run): number | undefined;
  resolve(answer: ForwardPositionsResponse): void;
  rejectAll(error: unknown): void;
}

type Page = { readonly message: ForwardPositionsRequest; readonly runs: (Run | undefined)[]; unanswered: number; readonly openedAtMs: number };

export function createPendingPages(): PendingPages {
  const pages = new Map<bigint, Page>();
  let lastPageId = 0n;
  let positions = 0;
  let sweeper: ReturnType<typeof setTimeout> | undefined;

  function settle(pageId: bigint, page: Page, index: number, fate: RunFate): void {
    const run = page.runs[index];
    if (run === undefined) return;
    page.runs[index] = undefined;
    positions -= run.positions.length;
    if (--page.unanswered === 0) pages.delete(pageId);
    run.settle(fate);
  }

  function fail(pageId: bigint, page: Page, error: unknown, which: (run: Run) => boolean = () => true): void {
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
      if (ageMs < forwardStreamTimeoutMs) fail(pageId, page, late(forwardTimeoutMs), (run) => run.streamId === "");
      else fail(pageId, page, late(forwardStreamTimeoutMs));
    }
    sweeper = pages.size === 0 ? undefined : setTimeout(sweep, pageSweepMs);
  }

  return {
    get size() {
      return pages.size;
    },
    ids: () => [...pages.keys()],
    get: (pageId) => pages.get(pageId)?.message,
    open() {
      const pageId = ++lastPageId;
      pages.set(pageId, { message: create(ForwardPositionsRequestSchema, { pageId }), runs: [], unanswered: 0, openedAtMs: performance.now() });
      sweeper ??= setTimeout(sweep, pageSweepMs);
      return pageId;
    },
    add(pageId, run) {
      const page = pages.get(pageId);
      if (page === undefined || positions >= positionsForwardedMax) {
        run.settle({ kind: "failed", error: apiError("OVERLOADED", `Cannot take more positions: ${positions} wait to be durable`) });
        return undefined;
      }
      positions += run.positions.length;
      page.runs.push(run);
      page.unanswered++;
      appendRun(page.message, run);
      return page.message.sequences.length;
    },
    resolve(answer) {
      const page = pages.get(answer.pageId);
      if (page === undefined) return;
      const rejectedOf = answer.rejected.length === 0 ? undefined : rejectedIn(answer);
      answer.runs.forEach((run, index) => {
        const rejected = rejectedOf?.get(run) ?? none;
        const superseded = answer.supersededRuns.includes(run);
        settle(answer.pageId, page, run, { kind: "answered", ackedSequence: answer.ackedSequences[index] ?? 0n, rejected, superseded });
      });
    },
    rejectAll(error) {
      for (const [pageId, page] of pages) fail(pageId, page, error);
    },
  };
}

const none: readonly RejectedPosition[] = [];

function rejectedIn({ rejected }: ForwardPositionsResponse): ReadonlyMap<number, readonly RejectedPosition[]> {
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
