/** Batches of positions on their way, each with a promise and a deadline, in the order they came. Bounded. */
import type { Position } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import type { PositionsResult } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { apiError } from "@ridegrid/rpc";
import { forwardedBatchesMax, forwardTimeoutMs } from "./limits.ts";

/** `streamId` is empty for batches of unary calls. */
export type ForwardedBatch = { readonly driverId: string; readonly marketId: string; readonly streamId: string; readonly positions: readonly Position[] };

export interface PendingBatches {
  readonly size: number;
  /** Undefined once it was answered or is late. */
  get(batchId: bigint): ForwardedBatch | undefined;
  ids(): readonly bigint[];
  /** @throws OVERLOADED when too many wait. The result rejects with DEPENDENCY_AWAY when no answer comes in time. */
  add(batch: ForwardedBatch): { readonly batchId: bigint; readonly result: Promise<PositionsResult> };
  resolve(result: PositionsResult): void;
  rejectAll(error: unknown): void;
}

type Entry = {
  readonly batch: ForwardedBatch;
  readonly resolve: (result: PositionsResult) => void;
  readonly reject: (error: unknown) => void;
  readonly timer: ReturnType<typeof setTimeout>;
};

export function createPendingBatches(): PendingBatches {
  const entries = new Map<bigint, Entry>();
  let lastBatchId = 0n;

  function take(batchId: bigint): Entry | undefined {
    const entry = entries.get(batchId);
    entries.delete(batchId);
    clearTimeout(entry?.timer);
    return entry;
  }

  return {
    get size() {
      return entries.size;
    },
    get: (batchId) => entries.get(batchId)?.batch,
    ids: () => [...entries.keys()],
    add(batch) {
      if (entries.size >= forwardedBatchesMax) throw apiError("OVERLOADED", `Cannot take more positions: ${entries.size} batches wait to be durable`);
      const batchId = ++lastBatchId;
      const { promise, resolve, reject } = Promise.withResolvers<PositionsResult>();
      const late = (): void => take(batchId)?.reject(apiError("DEPENDENCY_AWAY", `Positions were not durable within ${forwardTimeoutMs} ms`));
      entries.set(batchId, { batch, resolve, reject, timer: setTimeout(late, forwardTimeoutMs) });
      return { batchId, result: promise };
    },
    resolve: (result) => take(result.batchId)?.resolve(result),
    rejectAll(error) {
      for (const batchId of [...entries.keys()]) take(batchId)?.reject(error);
    },
  };
}
