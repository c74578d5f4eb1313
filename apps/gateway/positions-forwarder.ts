/**
 * Positions of all drivers of this gateway to the ingest of one region, on one long-lived stream. A batch is answered
 * when it is durable, or fails after a bound of time. When the stream breaks it is opened again, and batches without
 * an answer are sent again: ingest drops what it has already.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "@connectrpc/connect";
import type { IngestService } from "@ridegrid/contracts";
import type { PositionsResult } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { apiError, asService } from "@ridegrid/rpc";
import { isAway } from "./dependency.ts";
import { reconnectDelayMaxMs, reconnectDelayMinMs } from "./limits.ts";
import { createPendingBatches, type ForwardedBatch, type PendingBatches } from "./pending-batches.ts";
import { createSendQueue, type SendQueue } from "./send-queue.ts";

export interface PositionsForwarder {
  /** @throws OVERLOADED when too many wait, DEPENDENCY_AWAY when no answer came in time: nothing of it is acknowledged. */
  forward(batch: ForwardedBatch): Promise<PositionsResult>;
  close(): void;
}

export type PositionsForwarderDeps = { readonly ingest: () => Client<typeof IngestService>; readonly name: string };

export function createPositionsForwarder(deps: PositionsForwarderDeps): PositionsForwarder {
  const link: Link = { ...deps, pending: createPendingBatches(), queue: createSendQueue(), closed: new AbortController() };
  let running = false;

  /** Runs while there is something to answer; the stream it has open is kept after that. */
  async function run(): Promise<void> {
    let delayMs = reconnectDelayMinMs;
    while (!link.closed.signal.aborted && link.pending.size > 0) {
      const answered = await oneStream(link);
      delayMs = answered ? reconnectDelayMinMs : Math.min(delayMs * 2, reconnectDelayMaxMs);
      await sleep(delayMs, undefined, { signal: link.closed.signal }).catch(() => {});
    }
    running = false;
  }

  return {
    async forward(batch) {
      if (link.closed.signal.aborted) throw draining();
      const { batchId, result } = link.pending.add(batch);
      link.queue.push(batchId);
      if (!running) {
        running = true;
        void run();
      }
      return result;
    },
    close() {
      link.closed.abort();
      link.pending.rejectAll(draining());
    },
  };
}

type Link = PositionsForwarderDeps & { readonly pending: PendingBatches; readonly queue: SendQueue; readonly closed: AbortController };

/** Whether anything was answered before the stream broke. */
async function oneStream(link: Link): Promise<boolean> {
  const left = new AbortController();
  const signal = AbortSignal.any([left.signal, link.closed.signal]);
  link.queue.startOver(link.pending.ids());
  let answered = false;
  try {
    for await (const { results } of link.ingest().forwardPositions(requests(link, signal), asService(link.name, { signal }))) {
      answered = true;
      for (const result of results) link.pending.resolve(result);
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
  for await (const batchId of queue.read(signal)) {
    const batch = pending.get(batchId);
    if (batch !== undefined) yield { ...batch, batchId, positions: [...batch.positions] };
  }
}

function draining(): Error {
  return apiError("DRAINING", "The gateway is stopping");
}
