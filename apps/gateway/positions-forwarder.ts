/**
 * Positions of all drivers of this gateway to the ingest of one region, on one long-lived stream. A batch is answered
 * when it is durable, or fails after a bound of time. When the stream breaks it is opened again, and batches without
 * an answer are sent again: ingest drops what it has already.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "@connectrpc/connect";
import type { IngestService } from "@ridegrid/contracts";
import type { Position } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import type { PositionsResult } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { apiError, asService } from "@ridegrid/rpc";
import { isAway } from "./dependency.ts";
import { forwardedBatchesMax, forwardTimeoutMs, reconnectDelayMaxMs, reconnectDelayMinMs } from "./limits.ts";

export type ForwardedBatch = { readonly driverId: string; readonly marketId: string; readonly positions: readonly Position[] };

export interface PositionsForwarder {
  /** @throws OVERLOADED when too many wait, DEPENDENCY_AWAY when no answer came in time: nothing of it is acknowledged. */
  forward(batch: ForwardedBatch): Promise<PositionsResult>;
  close(): void;
}

type Pending = { readonly batch: ForwardedBatch; readonly resolve: (result: PositionsResult) => void; readonly reject: (error: unknown) => void; readonly timer: ReturnType<typeof setTimeout> };

export function createPositionsForwarder({ ingest, name }: { readonly ingest: () => Client<typeof IngestService>; readonly name: string }): PositionsForwarder {
  const pending = new Map<bigint, Pending>();
  const closed = new AbortController();
  let unsent: bigint[] = [];
  let lastBatchId = 0n;
  let wake = (): void => {};
  let running = false;

  function settle(batchId: bigint, act: (entry: Pending) => void): void {
    const entry = pending.get(batchId);
    if (entry === undefined) return;
    pending.delete(batchId);
    clearTimeout(entry.timer);
    act(entry);
  }

  function failAll(error: unknown): void {
    for (const batchId of [...pending.keys()]) settle(batchId, ({ reject }) => reject(error));
  }

  /** Runs while there is something to answer, and keeps the stream it has open after that. */
  async function run(): Promise<void> {
    let delayMs = reconnectDelayMinMs;
    while (!closed.signal.aborted && pending.size > 0) {
      const answered = await oneStream();
      delayMs = answered ? reconnectDelayMinMs : Math.min(delayMs * 2, reconnectDelayMaxMs);
      await sleep(delayMs, undefined, { signal: closed.signal }).catch(() => {});
    }
    running = false;
  }

  /** Whether anything was answered before the stream broke. */
  async function oneStream(): Promise<boolean> {
    const left = new AbortController();
    const signal = AbortSignal.any([left.signal, closed.signal]);
    unsent = [...pending.keys()];
    let answered = false;
    try {
      for await (const { results } of ingest().forwardPositions(requests(signal), asService(name, { signal }))) {
        answered = true;
        for (const result of results) settle(result.batchId, ({ resolve }) => resolve(result));
      }
    } catch (error) {
      // What ingest refused outright it would refuse again.
      if (!isAway(error) && !closed.signal.aborted) failAll(error);
    } finally {
      left.abort();
    }
    return answered;
  }

  async function* requests(signal: AbortSignal) {
    signal.addEventListener("abort", () => wake(), { once: true });
    while (!signal.aborted) {
      const batchId = unsent.shift();
      if (batchId === undefined) await new Promise<void>((resolve) => (wake = resolve));
      const entry = batchId === undefined ? undefined : pending.get(batchId);
      if (batchId !== undefined && entry !== undefined) yield { batchId, driverId: entry.batch.driverId, marketId: entry.batch.marketId, positions: [...entry.batch.positions] };
    }
  }

  return {
    forward(batch) {
      if (closed.signal.aborted) return Promise.reject(apiError("DRAINING", "The gateway is stopping"));
      if (pending.size >= forwardedBatchesMax) return Promise.reject(apiError("OVERLOADED", `Cannot take more positions: ${pending.size} batches wait to be durable`));
      const batchId = ++lastBatchId;
      const { promise, resolve, reject } = Promise.withResolvers<PositionsResult>();
      const late = (): void => settle(batchId, (entry) => entry.reject(apiError("DEPENDENCY_AWAY", `Positions were not durable within ${forwardTimeoutMs} ms`)));
      pending.set(batchId, { batch, resolve, reject, timer: setTimeout(late, forwardTimeoutMs) });
      unsent.push(batchId);
      wake();
      if (!running) {
        running = true;
        void run();
      }
      return promise;
    },
    close() {
      closed.abort();
      failAll(apiError("DRAINING", "The gateway is stopping"));
    },
  };
}
