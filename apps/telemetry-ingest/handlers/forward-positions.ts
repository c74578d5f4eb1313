/**
 * `ForwardPositions`: one long-lived stream of many drivers' batches, each answered when its fate is known.
 *
 * A fault ends the stream with its error; batches without an answer were not acknowledged, and their callers send
 * them again. A stream with too many batches in flight is not read until some are answered.
 */
import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import {
  type ForwardPositionsRequest,
  type ForwardPositionsResponse,
  ForwardPositionsResponseSchema,
  type PositionsResult,
} from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { apiError } from "@ridegrid/rpc";
import { batchesPerStreamMax, positionsPerBatchMax } from "../limits.ts";
import type { PositionIntake } from "../position-intake.ts";
import { createResultQueue, type ResultQueue } from "../result-queue.ts";

export type ForwardPositionsDeps = {
  readonly intake: PositionIntake;
  /** Aborted when this process drains. */
  readonly draining: AbortSignal;
};

export async function* forwardPositions(
  deps: ForwardPositionsDeps,
  requests: AsyncIterable<ForwardPositionsRequest>,
  context: Pick<HandlerContext, "signal">,
): AsyncGenerator<ForwardPositionsResponse> {
  const queue = createResultQueue<PositionsResult>();
  const inFlight = new Set<Promise<void>>();
  const stopping = apiError("DRAINING", "Cannot take more positions: this ingest is stopping");
  const drain = (): void => void Promise.all(inFlight).then(() => queue.end(stopping));
  if (deps.draining.aborted) drain();
  deps.draining.addEventListener("abort", drain);
  context.signal.addEventListener("abort", () => queue.end(context.signal.reason), { once: true });
  void readAll(deps, requests, { queue, inFlight });
  try {
    for await (const results of queue) yield create(ForwardPositionsResponseSchema, { results: [...results] });
  } finally {
    deps.draining.removeEventListener("abort", drain);
  }
}

type Answers = { readonly queue: ResultQueue<PositionsResult>; readonly inFlight: Set<Promise<void>> };

/** Never rejects: what goes wrong ends the queue. */
async function readAll(
  { intake, draining }: ForwardPositionsDeps,
  requests: AsyncIterable<ForwardPositionsRequest>,
  { queue, inFlight }: Answers,
): Promise<void> {
  try {
    for await (const request of requests) {
      // What is in flight is still answered; what comes now goes to another process.
      if (draining.aborted) return;
      if (request.positions.length > positionsPerBatchMax)
        throw apiError("TOO_LARGE", `Cannot take a batch of ${request.positions.length} positions: at most ${positionsPerBatchMax}`);
      const answered = intake.admit(request).then(queue.push, queue.end);
      inFlight.add(answered);
      void answered.then(() => inFlight.delete(answered));
      if (inFlight.size >= batchesPerStreamMax) await Promise.race(inFlight);
    }
    await Promise.all(inFlight);
    queue.end();
  } catch (error) {
    queue.end(error);
  }
}
