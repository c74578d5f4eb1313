/**
 * Positions of all drivers of this gateway to the ingest of one region, in pages on one long-lived stream. A run is
 * answered when it is durable, or fails after a bound of time. When the stream breaks it is opened again, and pages
 * without a whole answer are sent again: ingest drops what it has already.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "@connectrpc/connect";
import type { IngestService } from "@ridegrid/contracts";
import { apiError, asService } from "@ridegrid/rpc";
import { isAway } from "./dependency.ts";
import { pageWaitMs, positionsPerPage, reconnectDelayMaxMs, reconnectDelayMinMs } from "./limits.ts";
import { createPendingPages, type PendingPages, type Run } from "./pending-pages.ts";
import { createSendQueue, type SendQueue } from "./send-queue.ts";

export type { RunFate } from "./pending-pages.ts";

export interface PositionsForwarder {
  /** Its fate is OVERLOADED when too many wait, DEPENDENCY_AWAY when no answer came in time: nothing of it is acknowledged. */
  forward(run: Run): void;
  close(): void;
}

export type PositionsForwarderDeps = { readonly ingest: () => Client<typeof IngestService>; readonly name: string };

export function createPositionsForwarder(deps: PositionsForwarderDeps): PositionsForwarder {
  const link: Link = { ...deps, pending: createPendingPages(), queue: createSendQueue(), closed: new AbortController() };
  let filling: { readonly pageId: number; readonly timer: ReturnType<typeof setTimeout> } | undefined;
  let running = false;

  /** Runs while there is something to answer; the stream it has open is kept after that. */
  async function run(): Promise<void> {
    let delayMs = reconnectDelayMinMs;
    while (!link.closed.signal.aborted && link.pending.size > 0) {
      const answered = await oneStream(link, filling?.pageId);
      delayMs = answered ? reconnectDelayMinMs : Math.min(delayMs * 2, reconnectDelayMaxMs);
      await sleep(delayMs, undefined, { signal: link.closed.signal }).catch(() => {});
    }
    running = false;
  }

  function sendPage(): void {
    if (filling === undefined) return;
    clearTimeout(filling.timer);
    link.queue.push(filling.pageId);
    filling = undefined;
    if (running) return;
    running = true;
    void run();
  }

  return {
    forward(one) {
      if (link.closed.signal.aborted) return one.settle({ kind: "failed", error: draining() });
      // Its page may have failed with all others.
      if (filling !== undefined && !link.pending.has(filling.pageId)) sendPage();
      // Company on the way costs a driver little time, and saves both ends most of a message's price.
      filling ??= { pageId: link.pending.open(), timer: setTimeout(sendPage, pageWaitMs) };
      const positions = link.pending.add(filling.pageId, one);
      if (positions !== undefined && positions >= positionsPerPage) sendPage();
    },
    close() {
      clearTimeout(filling?.timer);
      link.closed.abort();
      link.pending.rejectAll(draining());
    },
  };
}

type Link = PositionsForwarderDeps & { readonly pending: PendingPages; readonly queue: SendQueue; readonly closed: AbortController };

/** Whether anything was answered before the stream broke. */
async function oneStream(link: Link, filling: number | undefined): Promise<boolean> {
  const left = new AbortController();
  const signal = AbortSignal.any([left.signal, link.closed.signal]);
  link.queue.startOver(link.pending.ids().filter((pageId) => pageId !== filling));
  let answered = false;
  try {
    for await (const answer of link.ingest().forwardPositions(requests(link, signal), asService(link.name, { signal }))) {
      answered = true;
      link.pending.resolve(answer);
    }
  } catch (error) {
    // What ingest refused outright it would refuse again.
    if (!isAway(error) && !link.closed.signal.aborted) link.pending.rejectAll(error);
  } finally {
    left.abort();
  }
  return answered;
}

async function* requests({ queue, pending }: Link, signal: AbortSignal) {
  for await (const pageId of queue.read(signal)) {
    const page = pending.message(pageId);
    if (page !== undefined) yield page;
  }
}

function draining(): Error {
  return apiError("DRAINING", "The gateway is stopping");
}
